import java.nio.charset.StandardCharsets;
import java.util.function.BiConsumer;
import java.util.function.Function;
import org.apache.kafka.common.errors.SerializationException;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;

/**
 * Avro's binary form behind a zero byte and a schema id, by hand in the order of the .avsc files, as serdes.ts does it: no generic record, no schema lookup,
 * one array a value.
 */
final class Avro {
  record Order(String orderId, String userId, String bookId, int quantity, long amountMinor, long placedAt) {}

  record Reservation(String orderId, String status, long at) {}

  record Payment(String orderId, String status, long at) {}

  record OrderStatus(
      String orderId, String userId, String bookId, String status, int quantity, long amountMinor, long placedAt, long reservedAt, long paidAt) {}

  record BookSales(String bookId, long count, long revenueMinor) {}

  static Serde<Order> order(Runnable onDecode) {
    return serde(
        1,
        (out, v) -> {
          out.text(v.orderId).text(v.userId).text(v.bookId);
          out.number(v.quantity).number(v.amountMinor).number(v.placedAt);
        },
        in -> new Order(in.text(), in.text(), in.text(), (int) in.number(), in.number(), in.number()),
        onDecode);
  }

  static Serde<Reservation> reservation(Runnable onDecode) {
    return serde(
        2,
        (out, v) -> out.text(v.orderId).text(v.status).number(v.at),
        in -> new Reservation(in.text(), in.text(), in.number()),
        onDecode);
  }

  static Serde<Payment> payment(Runnable onDecode) {
    return serde(
        3,
        (out, v) -> out.text(v.orderId).text(v.status).number(v.at),
        in -> new Payment(in.text(), in.text(), in.number()),
        onDecode);
  }

  static Serde<OrderStatus> orderStatus() {
    return serde(
        4,
        (out, v) -> {
          out.text(v.orderId).text(v.userId).text(v.bookId).text(v.status);
          out.number(v.quantity).number(v.amountMinor).number(v.placedAt).number(v.reservedAt).number(v.paidAt);
        },
        in ->
            new OrderStatus(
                in.text(), in.text(), in.text(), in.text(), (int) in.number(), in.number(), in.number(), in.number(), in.number()),
        () -> {});
  }

  static Serde<BookSales> bookSales() {
    return serde(
        5,
        (out, v) -> out.text(v.bookId).number(v.count).number(v.revenueMinor),
        in -> new BookSales(in.text(), in.number(), in.number()),
        () -> {});
  }

  private static <T> Serde<T> serde(int schemaId, BiConsumer<Writer, T> write, Function<Reader, T> read, Runnable onDecode) {
    // Stream threads share a serde.
    ThreadLocal<Writer> writers = ThreadLocal.withInitial(Writer::new);
    return Serdes.serdeFrom(
        (topic, value) -> {
          if (value == null) return null;
          Writer out = writers.get();
          out.begin(schemaId);
          write.accept(out, value);
          return out.end();
        },
        (topic, bytes) -> {
          if (bytes == null) return null;
          onDecode.run();
          Reader in = new Reader(topic, bytes, schemaId);
          T value = read.apply(in);
          in.end();
          return value;
        });
  }

  private static final class Writer {
    private final byte[] bytes = new byte[1024];
    private int at;

    void begin(int schemaId) {
      at = 5;
      bytes[1] = (byte) (schemaId >>> 24);
      bytes[2] = (byte) (schemaId >>> 16);
      bytes[3] = (byte) (schemaId >>> 8);
      bytes[4] = (byte) schemaId;
    }

    byte[] end() {
      return java.util.Arrays.copyOf(bytes, at);
    }

    Writer number(long value) {
      long rest = (value << 1) ^ (value >> 63);
      while ((rest & ~0x7fL) != 0) {
        bytes[at++] = (byte) (rest | 0x80);
        rest >>>= 7;
      }
      bytes[at++] = (byte) rest;
      return this;
    }

    Writer text(String text) {
      byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
      number(utf8.length);
      System.arraycopy(utf8, 0, bytes, at, utf8.length);
      at += utf8.length;
      return this;
    }
  }

  private static final class Reader {
    private final String topic;
    private final byte[] bytes;
    private int at = 5;

    Reader(String topic, byte[] bytes, int schemaId) {
      this.topic = topic;
      this.bytes = bytes;
      int id = bytes.length < 6 ? -1 : (bytes[1] & 0xff) << 24 | (bytes[2] & 0xff) << 16 | (bytes[3] & 0xff) << 8 | (bytes[4] & 0xff);
      if (id != schemaId || bytes[0] != 0) {
        throw new SerializationException(topic + ": the value does not begin with a zero byte and the schema id " + schemaId);
      }
    }

    long number() {
      long value = 0;
      for (int shift = 0; ; shift += 7) {
        byte next = bytes[at++];
        value |= (next & 0x7fL) << shift;
        if (next >= 0) return (value >>> 1) ^ -(value & 1);
      }
    }

    String text() {
      int length = (int) number();
      String text = new String(bytes, at, length, StandardCharsets.UTF_8);
      at += length;
      return text;
    }

    void end() {
      if (at != bytes.length) throw new SerializationException(topic + ": the record ends at byte " + at + " of " + bytes.length);
    }
  }
}

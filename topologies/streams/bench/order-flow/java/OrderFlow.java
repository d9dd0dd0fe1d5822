import java.lang.management.ManagementFactory;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.AppInfoParser;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.CloseOptions;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.JoinWindows;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.StreamJoined;
import org.apache.kafka.streams.processor.StateRestoreListener;
import org.apache.kafka.streams.state.KeyValueStore;

/**
 * The order-flow topology in Apache Kafka Streams, with the command line and the JSON lines of app.ts. Its stores are RocksDB's; all that is configured is
 * guarantee, commit interval, threads, state folder and, if asked for, linger: the rest is the original's default, its record cache too.
 */
public final class OrderFlow {
  private static final AtomicBoolean begun = new AtomicBoolean();

  public static void main(String[] words) throws Exception {
    tell("start", ManagementFactory.getRuntimeMXBean().getStartTime(), ",\"version\":\"" + AppInfoParser.getVersion() + "\"");
    Map<String, String> options = new HashMap<>();
    for (int i = words.length > 0 && words[0].equals("app") ? 1 : 0; i + 1 < words.length; i += 2) options.put(words[i].substring(2), words[i + 1]);

    Properties config = new Properties();
    config.put(StreamsConfig.APPLICATION_ID_CONFIG, options.get("app"));
    config.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, options.get("bootstrap"));
    config.put(StreamsConfig.STATE_DIR_CONFIG, options.get("state"));
    boolean once = options.get("mode").startsWith("exactly_once");
    config.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, once ? StreamsConfig.EXACTLY_ONCE_V2 : StreamsConfig.AT_LEAST_ONCE);
    if (options.containsKey("commit")) config.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, options.get("commit"));
    config.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, options.getOrDefault("threads", "1"));
    if (options.containsKey("linger")) config.put(StreamsConfig.producerPrefix("linger.ms"), options.get("linger"));

    String out = options.getOrDefault("out", "");
    makeTopics(options.get("bootstrap"), List.of("bench-order-status" + out, "bench-book-sales" + out));
    KafkaStreams streams = new KafkaStreams(topology(options.getOrDefault("in", ""), out), config);
    Restoring restoring = new Restoring();
    streams.setGlobalStateRestoreListener(restoring);
    AtomicBoolean ran = new AtomicBoolean();
    streams.setStateListener(
        (now, before) -> {
          if (now != KafkaStreams.State.RUNNING || ran.getAndSet(true)) return;
          restoring.tell();
          tell("running", System.currentTimeMillis(), "");
        });
    Runtime.getRuntime()
        .addShutdownHook(
            new Thread(
                () -> {
                  // Else the group keeps its place for the session's 45 seconds, and a restart waits for them.
                  streams.close(
                      CloseOptions.timeout(Duration.ofSeconds(30))
                          .withGroupMembershipOperation(CloseOptions.GroupMembershipOperation.LEAVE_GROUP));
                  System.out.flush();
                  Runtime.getRuntime().halt(0); // a JVM that was told to end says 143
                }));
    streams.start();
  }

  private static Topology topology(String in, String out) {
    Serde<Avro.OrderStatus> statusSerde = Avro.orderStatus();
    Serde<Avro.Order> orderSerde = Avro.order(OrderFlow::decoded);
    Serde<Avro.Reservation> reservationSerde = Avro.reservation(OrderFlow::decoded);
    Serde<Avro.Payment> paymentSerde = Avro.payment(OrderFlow::decoded);
    JoinWindows windows = JoinWindows.ofTimeDifferenceWithNoGrace(Duration.ofMinutes(10));
    StreamsBuilder builder = new StreamsBuilder();
    KStream<String, Avro.Order> orders = builder.stream("bench-orders" + in, Consumed.with(Serdes.String(), orderSerde));
    KStream<String, Avro.Reservation> reservations =
        builder.stream("bench-reservations" + in, Consumed.with(Serdes.String(), reservationSerde));
    KStream<String, Avro.Payment> payments = builder.stream("bench-payments" + in, Consumed.with(Serdes.String(), paymentSerde));
    KStream<String, Avro.OrderStatus> status =
        orders
            .join(
                reservations,
                (o, r) ->
                    new Avro.OrderStatus(
                        o.orderId(), o.userId(), o.bookId(), r.status(), o.quantity(), o.amountMinor(), o.placedAt(), r.at(), 0),
                windows,
                StreamJoined.with(Serdes.String(), orderSerde, reservationSerde).withName("reserved").withStoreName("reserved"))
            .join(
                payments,
                (s, p) ->
                    new Avro.OrderStatus(
                        s.orderId(), s.userId(), s.bookId(), p.status(), s.quantity(), s.amountMinor(), s.placedAt(), s.reservedAt(), p.at()),
                windows,
                StreamJoined.with(Serdes.String(), statusSerde, paymentSerde).withName("paid").withStoreName("paid"));
    status.to("bench-order-status" + out, Produced.with(Serdes.String(), statusSerde));
    status
        .groupBy((orderId, value) -> value.bookId(), Grouped.with("by-book", Serdes.String(), statusSerde))
        .aggregate(
            () -> new Avro.BookSales("", 0, 0),
            (bookId, value, sales) -> new Avro.BookSales(bookId, sales.count() + 1, sales.revenueMinor() + value.amountMinor()),
            Materialized.<String, Avro.BookSales, KeyValueStore<Bytes, byte[]>>as("book-sales")
                .withKeySerde(Serdes.String())
                .withValueSerde(Avro.bookSales()))
        .toStream()
        .to("bench-book-sales" + out, Produced.with(Serdes.String(), Avro.bookSales()));
    return builder.build();
  }

  private static void decoded() {
    if (!begun.get() && !begun.getAndSet(true)) tell("first", System.currentTimeMillis(), "");
  }

  private static void makeTopics(String bootstrap, List<String> names) throws Exception {
    try (Admin admin = Admin.create(Map.<String, Object>of("bootstrap.servers", bootstrap))) {
      var there = admin.listTopics().names().get();
      List<NewTopic> missing = new ArrayList<>();
      for (String name : names) if (!there.contains(name)) missing.add(new NewTopic(name, Optional.of(4), Optional.empty()));
      admin.createTopics(missing).all().get();
    }
  }

  private static void tell(String event, long t, String more) {
    System.out.println("{\"event\":\"" + event + "\",\"t\":" + t + more + "}");
  }

  private static final class Restoring implements StateRestoreListener {
    private final AtomicLong records = new AtomicLong();
    private final AtomicLong from = new AtomicLong(Long.MAX_VALUE);
    private final AtomicLong to = new AtomicLong();

    @Override
    public void onRestoreStart(TopicPartition partition, String store, long startingOffset, long endingOffset) {
      from.accumulateAndGet(System.currentTimeMillis(), Math::min);
    }

    @Override
    public void onBatchRestored(TopicPartition partition, String store, long batchEndOffset, long count) {}

    @Override
    public void onRestoreEnd(TopicPartition partition, String store, long totalRestored) {
      records.addAndGet(totalRestored);
      to.accumulateAndGet(System.currentTimeMillis(), Math::max);
    }

    void tell() {
      if (records.get() == 0) return;
      OrderFlow.tell("restored", System.currentTimeMillis(), ",\"records\":" + records.get() + ",\"ms\":" + (to.get() - from.get()));
    }
  }
}

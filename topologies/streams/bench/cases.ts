import {
  JoinWindows,
  type Serde,
  Serdes,
  type StreamsBuilder,
  TimeWindows,
  type TopicLike,
  WindowedSerdes,
} from '../index.ts';
import type { ProducedRecord } from '../kafka/port.ts';
import { type Order, orderSerde, orderStatusSerde, paymentSerde, reservationSerde } from './order-flow/serdes.ts';
import { inputTopics, orderFlow, outputTopics } from './order-flow/topology.ts';

export interface Case {
  readonly name: string;
  /** Input records a second that one core must reach with state in memory; null: only told. */
  readonly target: number | null;
  readonly hasState: boolean;
  build(builder: StreamsBuilder): void;
  /** Record `index` of the input; `key` is drawn from a few thousand. */
  input(index: number, key: string): ProducedRecord;
  /** The same answers without an engine, bytes to bytes: what is left to win. */
  byHand?(record: ProducedRecord): ProducedRecord | null;
}

const named = <V>(name: string, valueSerde: Serde<V>): TopicLike<string, V> => ({
  name,
  keySerde: Serdes.string,
  valueSerde,
});
const orders = (name: string): TopicLike<string, Order> => named(name, orderSerde);
const [left, right, out] = [orders('left'), orders('right'), orders('out')];
const counts = { name: 'out', keySerde: Serdes.string, valueSerde: Serdes.long };

const flow = inputTopics('');
const { bookSales } = outputTopics('');
const start = 1_764_000_000_000;
/** 60 bytes with the registry's header. */
const order = (index: number, key: string): Order => ({
  orderId: `order-${String(index).padStart(10, '0')}`,
  userId: `user-${String(index % 5_003).padStart(4, '0')}`,
  bookId: key,
  quantity: 1 + (index % 10),
  amountMinor: 1_990 + (index % 5_000),
  placedAt: start + index,
});

const record = (topic: string, index: number, key: string): ProducedRecord => ({
  topic,
  partition: 0,
  timestamp: start + index,
  key: Serdes.string.serialize(topic, key),
  value: orderSerde.serialize(topic, order(index, key)),
  headers: [],
});

const oneTopic = (index: number, key: string) => record(left.name, index, key);
/** Two records of one key after each other, on both topics in turn. */
const twoTopics = (index: number, key: string) => record(index % 2 === 0 ? left.name : right.name, index, key);

const sum = (one: Order, other: Order): Order => ({ ...one, amountMinor: one.amountMinor + other.amountMinor });

/** A line here is a case more: nothing else knows them by name. */
export const cases: readonly Case[] = [
  {
    name: 'map-filter-to',
    target: 1_000_000,
    hasState: false,
    build: (builder) =>
      builder
        .stream(left)
        .map((key, value) => [key, { ...value, amountMinor: value.amountMinor * value.quantity }] as const)
        .filter((_key, value) => value.quantity < 10)
        .to(out),
    input: oneTopic,
    byHand: ({ topic, timestamp, headers, key, value }) => {
      if (key === null || value === null) return null;
      const placed = orderSerde.deserialize(topic, value);
      const priced = { ...placed, amountMinor: placed.amountMinor * placed.quantity };
      if (priced.quantity === 10) return null;
      const text = Serdes.string.deserialize(topic, key);
      const bytes = { key: Serdes.string.serialize(topic, text), value: orderSerde.serialize(topic, priced) };
      return { topic: out.name, partition: 0, timestamp, headers, ...bytes };
    },
  },
  {
    name: 'stream-stream-join',
    target: 200_000,
    hasState: true,
    build: (builder) =>
      builder
        .stream(left)
        .join(builder.stream(right), sum, JoinWindows.ofTimeDifferenceAndGrace(1_000, 1_000), { as: 'paid' })
        .to(out),
    input: twoTopics,
  },
  {
    name: 'count',
    target: null,
    hasState: true,
    build: (builder) => builder.stream(left).groupByKey().count({ store: 'sold' }).toStream().to(counts),
    input: oneTopic,
  },
  {
    name: 'table-table-join',
    target: null,
    hasState: true,
    build: (builder) =>
      builder
        .table(left, { store: 'left-rows' })
        .join(builder.table(right, { store: 'right-rows' }), sum, { as: 'both' })
        .toStream()
        .to(out),
    input: twoTopics,
  },
  {
    name: 'windowed-count',
    target: null,
    hasState: true,
    build: (builder) =>
      builder
        .stream(left)
        .groupByKey()
        .windowedBy(TimeWindows.ofSizeAndGrace(1_000, 1_000))
        .count({ store: 'sold-by-second' })
        .toStream()
        .to({ ...counts, keySerde: WindowedSerdes.timeWindowed(Serdes.string, 1_000) }),
    input: oneTopic,
  },
  {
    name: 'foreign-key-join',
    target: null,
    hasState: true,
    build: (builder) =>
      builder
        .table(left, { store: 'left-rows' })
        .join(builder.table(right, { store: 'right-rows' }), ({ bookId }) => bookId, sum, { as: 'by-book' })
        .toStream()
        .to(out),
    input: (index, key) =>
      index % 2 === 0
        ? { ...record(left.name, index, key), key: Serdes.string.serialize(left.name, `order-of-${key}`) }
        : record(right.name, index, key),
  },
  {
    name: 'order-flow',
    target: null,
    hasState: true,
    build: (builder) => orderFlow(builder, flow, { orderStatus: named('out', orderStatusSerde), bookSales }),
    input: (index, key) => {
      const orderId = `order-${String(Math.floor(index / 3)).padStart(10, '0')}`;
      const at = { partition: 0, timestamp: start + index, key: Serdes.string.serialize('', orderId), headers: [] };
      const answer = { orderId, status: 'ok', at: start + index };
      if (index % 3 === 0)
        return { ...at, topic: flow.orders.name, value: orderSerde.serialize('', { ...order(index, key), orderId }) };
      if (index % 3 === 1)
        return { ...at, topic: flow.reservations.name, value: reservationSerde.serialize('', answer) };
      return { ...at, topic: flow.payments.name, value: paymentSerde.serialize('', answer) };
    },
  },
];

export interface InputRange {
  readonly from: number;
  readonly records: number;
  readonly batch: number;
  readonly keys: number;
}

/** The same batches on every call: keys come from a generator with a seed (a linear congruential one). */
export function* inputOf(one: Case, { from, records, batch, keys }: InputRange): Generator<readonly ProducedRecord[]> {
  let random = from + 42;
  let key = '';
  for (let begin = from; begin < from + records; begin += batch) {
    yield Array.from({ length: Math.min(batch, from + records - begin) }, (_, at) => {
      if (at % 2 === 0) {
        random = (Math.imul(random, 1_664_525) + 1_013_904_223) >>> 0;
        key = `book-${String(random % keys).padStart(7, '0')}`;
      }
      return one.input(begin + at, key);
    });
  }
}

// How long the sink takes to write a live batch to Postgres, for batches of 1, 10 and 500 records: `npm run bench -- sink [options]`
//   --ms N      measured for each size, after a fifth of that as warm-up (2000)     --json   one JSON object on stdout
//   --busy N    N ms of every 5 the process computes something else, as one that also runs topologies does (0)
// "wallet" folds each record into a row that it reads first and adds one; "steps" only adds a row. Postgres is one of its own, made durable as `npm start` does.
import { useLocalSchemas } from '@bookstream/schemas/serde';
import { topics } from '@bookstream/schemas/topics';
import { optionsOf, wholeNumber } from '@bookstream/streams/bench/options';
import type { ConsumedRecord } from '@bookstream/streams/kafka/port';
import { orders } from '../orders/projection.ts';
import type { Projection } from '../projection.ts';
import { PostgresSink } from '../sinks/postgres.ts';
import { durablePostgres } from '../test/engines.ts';
import { idOf, orderPlaced, toppedUp } from '../test/events.ts';
import { workOf } from '../test/work-of.ts';
import { wallet } from '../wallet/projection.ts';

const file = import.meta.filename;
const { values } = optionsOf(file, {
  options: {
    ms: { type: 'string', default: '2000' },
    busy: { type: 'string', default: '0' },
    json: { type: 'boolean', default: false },
  },
});
const ms = wholeNumber(file, '--ms', values.ms);
const busyMs = wholeNumber(file, '--busy', values.busy, 0);
const turnMs = 5;
const sizes = [1, 10, 500];

interface Kind {
  readonly name: string;
  readonly projection: Projection;
  readonly topic: string;
  readonly value: (offset: number) => Uint8Array;
}

const { walletsEvents, ordersEvents } = topics;
const user = (number: number): string => idOf('user', number % 1_000);
const kinds: readonly Kind[] = [
  {
    name: 'wallet',
    projection: wallet,
    topic: walletsEvents.name,
    value: (at) => walletsEvents.valueSerde.serialize(walletsEvents.name, toppedUp(user(at), at, 1n, BigInt(at))),
  },
  {
    name: 'steps',
    projection: orders,
    topic: ordersEvents.name,
    value: (at) => ordersEvents.valueSerde.serialize(ordersEvents.name, orderPlaced(idOf('order', at), user(at))),
  },
];

function recordsOf({ topic, value }: Kind, partition: number, from: number, size: number): ConsumedRecord[] {
  return Array.from({ length: size }, (_, index) => {
    const offset = from + index;
    const key = new TextEncoder().encode(user(offset));
    return { topic, partition, offset, timestamp: offset, key, value: value(offset), headers: [] };
  });
}

const quantile = (sorted: readonly number[], part: number): number =>
  Number((sorted[Math.floor(sorted.length * part)] ?? 0).toFixed(2));

async function measure(sink: PostgresSink, kind: Kind, partition: number, size: number) {
  const claim = await sink.claim(kind.projection.name, 1, kind.topic, partition, true);
  const times: number[] = [];
  let from = 0;
  for (let left = -ms / 5; left < ms; ) {
    const records = recordsOf(kind, partition, from, size);
    const work = workOf(kind.projection, { ...claim, nextOffset: from }, records, from + size);
    const began = performance.now();
    await sink.apply(claim, work);
    const took = performance.now() - began;
    if (left >= 0) times.push(took);
    left += took;
    from = work.next;
  }
  const perSecond = Math.round((1_000 * times.length) / times.reduce((sum, time) => sum + time, 0));
  times.sort((a, b) => a - b);
  return { batches: kind.name, size, p50Ms: quantile(times, 0.5), p95Ms: quantile(times, 0.95), perSecond };
}

function computeBeside(): Disposable {
  const timer = setInterval(() => {
    for (const end = performance.now() + busyMs; performance.now() < end; );
  }, turnMs);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

useLocalSchemas();
await using cleanup = new AsyncDisposableStack();
const { postgresUrl } = cleanup.use(await durablePostgres());
const sink = new PostgresSink(postgresUrl);
cleanup.defer(() => sink.close());
if (busyMs > 0) cleanup.use(computeBeside());
const results: Awaited<ReturnType<typeof measure>>[] = [];
for (const kind of kinds) {
  await sink.prepare(kind.projection);
  for (const [partition, size] of sizes.entries()) results.push(await measure(sink, kind, partition, size));
}
if (values.json) console.log(JSON.stringify({ busyMs, results }));
else console.table(results);

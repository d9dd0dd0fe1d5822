// A topology for the tests of the runtime, and, run as a program, a worker of it in a process of its own that can be killed.
import {
  type KeyValueStore,
  type Processor,
  type ProcessorContext,
  Serdes,
  Stores,
  StreamsBuilder,
  StreamsWorker,
  type Topology,
} from '../index.ts';

export const input = { name: 'sum-in', keySerde: Serdes.string, valueSerde: Serdes.integer };
export const output = { name: 'sum-out', keySerde: Serdes.string, valueSerde: Serdes.integer };
export const applicationId = 'summing';

/** Running sums per key: every record depends on all before it, so a record lost or doubled shows in every later one. */
export function summing(from = input.name, to = output.name, store = 'sums', persistent = true): Topology {
  const builder = new StreamsBuilder();
  builder.addStateStore(
    Stores.keyValue({ name: store, keySerde: Serdes.string, valueSerde: Serdes.integer, persistent }),
  );
  builder
    .stream({ ...input, name: from })
    .process<string, number>(
      () => {
        let context: ProcessorContext<string, number>;
        let sums: KeyValueStore<string, number>;
        return {
          init(given) {
            context = given;
            sums = given.getStateStore(store);
          },
          process({ key, value }) {
            const sum = (sums.get(key) ?? 0) + value;
            sums.put(key, sum);
            context.forward({ key, value: sum });
          },
        } satisfies Processor<string, number, string, number>;
      },
      { as: 'sum', stores: [store] },
    )
    .to({ ...output, name: to });
  return builder.build();
}

if (import.meta.main) {
  const [bootstrapServers = '', stateDir = '', instanceId = ''] = process.argv.slice(2);
  const worker = new StreamsWorker({
    applications: [{ applicationId, topology: summing() }],
    bootstrapServers,
    stateDir,
    instanceId,
    log: (level, event, message) => console.log(level, event, message),
  });
  await worker.start();
  console.log('running');
}

import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { type KeyValueStore, type Processor, type ProcessorContext, Serdes, Stores, StreamsBuilder } from '../index.ts';
import { partitionName, type Transaction } from '../kafka/port.ts';
import type { Serde } from '../serde.ts';
import { number, only, setUp, sums } from '../test/scripted-run.ts';
import { input, output, summing } from '../test/summing.ts';

const gate = () => Promise.withResolvers<void>();

describe('a group that moves while a transaction is in flight', () => {
  test('revocation and close at once: all is committed once, and both return', async () => {
    const { port, runner } = setUp();
    await runner.start();
    const held = gate();
    port.onCommit = () => held.promise;
    port.append([number('k', 1)]);
    await sleep(20);
    port.append([number('k', 2)]);
    await sleep(20);
    const revoked = only(port).onRevoking(port.assignment(only(port), 1).group);
    const closed = runner.close();
    held.resolve();
    await revoked;
    await closed;
    expect(sums(port)).toEqual([1, 3]);
    expect(port.members).toEqual([]);
  });

  test('an assignment that comes while the run is being closed opens nothing', async () => {
    const { port, runner, opened } = setUp();
    await runner.start();
    const [held, asked] = [gate(), gate()];
    port.onCommit = () => held.promise;
    port.append([number('k', 1)]);
    await sleep(20);
    const member = only(port);
    const closed = runner.close();
    port.committedOffsets = () => asked.promise.then(() => []);
    member.onAssigned(port.assignment(member, 3));
    held.resolve();
    await closed;
    asked.resolve();
    await sleep(20);
    expect(sums(port)).toEqual([1]);
    expect(opened).toEqual(['0_0']);
  });

  test('after a generation that was missed the state is what the changelog says', async () => {
    const { port, runner } = setUp();
    await runner.start();
    port.append([number('k', 1)]);
    await expect.poll(() => sums(port)).toEqual([1]);
    // Expelled without noticing: another owner's punctuator has written, and moved no offset.
    const topic = 'app-sums-changelog';
    port.append([{ ...number('k', 100), topic }]);
    const member = only(port);
    member.onAssigned(port.assignment(member, 3, 'member-2'));
    port.append([number('k', 1)]);
    await expect.poll(() => sums(port)).toEqual([1, 101]);
    await runner.close();
  });
});

test('a rebalance does not wait for a restore; the next assignment goes on with it', async () => {
  const { port, runner, opened } = setUp();
  const endOffsets = port.endOffsets;
  // Somebody's open transaction: the changelog cannot be read to its end.
  port.endOffsets = async () => new Map([['app-sums-changelog-0', 10]]);
  const started = runner.start();
  await expect.poll(() => opened).toEqual(['0_0']);
  await sleep(20);
  const member = only(port);
  await member.onRevoking(port.assignment(member, 1).group);
  port.endOffsets = endOffsets;
  member.onAssigned(port.assignment(member, 2));
  await started;
  port.append([number('k', 1)]);
  await expect.poll(() => sums(port)).toEqual([1]);
  await runner.close();
});

test('tasks that stay go on while others are restored', async () => {
  const { port, runner } = setUp(summing(), 2);
  port.onJoin = async (member) => {
    const assignment = port.assignment(member, 1);
    return { ...assignment, partitions: assignment.partitions.filter(({ partition }) => partition === 0) };
  };
  await runner.start();
  port.append([number('k', 1)]);
  await expect.poll(() => sums(port)).toEqual([1]);
  const { endOffsets } = port;
  port.endOffsets = async () => new Map([['app-sums-changelog-1', 2]]);
  const member = only(port);
  await member.onRevoking(port.assignment(member, 1).group);
  member.onAssigned(port.assignment(member, 2));
  const states: string[] = [];
  const watching = runner.state$.subscribe((state) => states.push(state));
  await expect.poll(() => states.at(-1)).toBe('RESTORING');
  port.append([number('k', 2)]);
  await expect.poll(() => sums(port)).toEqual([1, 3]);
  expect(port.transactions.at(-1)?.group.generationId).toBe(2);
  expect(states.at(-1)).toBe('RESTORING');
  port.endOffsets = endOffsets;
  const rows = [10, 20].map((value) => ({ ...number('j', value), topic: 'app-sums-changelog', partition: 1 }));
  port.append(rows);
  await expect.poll(() => states.at(-1)).toBe('RUNNING');
  port.append([{ ...number('j', 1), partition: 1 }]);
  await expect.poll(() => sums(port)).toEqual([1, 3, 21]);
  watching.unsubscribe();
  await runner.close();
});

test('a first run that fails on its way begins again, and start goes on waiting', async () => {
  const builder = new StreamsBuilder();
  builder.globalTable({ ...input, name: 'all' }, { store: 'all-rows' });
  builder.stream(input).to(output);
  const { port, runner, logged } = setUp(builder.build());
  port.broker.createTopic('all', 1);
  port.append([{ ...number('k', 1), topic: 'all', value: Uint8Array.of(1) }, number('k', 1)]);
  const { producer } = port;
  port.producer = () => {
    port.producer = producer;
    return Promise.reject(new Error('no broker for the dead letter'));
  };
  await runner.start();
  expect(logged.join()).toContain('no broker for the dead letter');
  await expect.poll(() => sums(port)).toEqual([1]);
  expect(port.broker.records('all.dlq')).toHaveLength(1);
  await runner.close();
});

describe('close', () => {
  test('during start: nobody stays in the group', async () => {
    const { port, runner } = setUp();
    const joining = gate();
    port.onJoin = async (member) => {
      await joining.promise;
      return port.assignment(member, 1);
    };
    const started = runner.start().catch(() => 'not started');
    await expect.poll(() => port.members.length).toBe(1);
    const closed = runner.close();
    await sleep(20);
    joining.resolve();
    await closed;
    await started;
    expect(port.members).toEqual([]);
  });

  test('while a global table waits for its schema: it ends, and nothing is thrown into the void', async () => {
    const builder = new StreamsBuilder();
    const never: Serde<string> = { ...Serdes.string, prepare: () => Promise.reject(new Error('registry is away')) };
    builder.globalTable({ name: 'all', keySerde: Serdes.string, valueSerde: never }, { store: 'all-rows' });
    builder.stream(input).to(output);
    const { port, runner, logged } = setUp(builder.build());
    port.broker.createTopic('all', 1);
    port.append([{ ...number('k', 1), topic: 'all' }]);
    const started = runner.start().then(
      () => 'started',
      () => 'not started',
    );
    await expect.poll(() => logged.join()).toContain('registry is away');
    await runner.close();
    expect(await started).toBe('not started');
  });
});

/** Ticks by wall clock and counts the ticks in a store. */
const ticking = () => {
  const builder = new StreamsBuilder();
  builder.addStateStore(Stores.keyValue({ name: 'ticks', keySerde: Serdes.string, valueSerde: Serdes.integer }));
  builder
    .stream(input)
    .process<string, number>(
      () => {
        let context: ProcessorContext<string, number>;
        return {
          init(given) {
            context = given;
            const ticks: KeyValueStore<string, number> = given.getStateStore('ticks');
            given.schedule(10, 'wall-clock-time', () => {
              const count = (ticks.get('n') ?? 0) + 1;
              ticks.put('n', count);
              context.forward({ key: 'n', value: count });
            });
          },
          process() {},
        } satisfies Processor<string, number, string, number>;
      },
      { as: 'ticking', stores: ['ticks'] },
    )
    .to(output);
  return builder.build();
};

test('what a punctuator wrote carries offsets too, so that the group can refuse it of a zombie', async () => {
  const { port, runner } = setUp(ticking());
  const seen: Transaction[] = [];
  port.onCommit = async (transaction) => void seen.push(transaction);
  await runner.start();
  await expect.poll(() => sums(port).length).toBeGreaterThan(1);
  await runner.close();
  for (const { offsets } of seen) expect(offsets.map(partitionName)).toEqual([`${input.name}-0`]);
});

test('the other instances run another topology: a task with half its inputs is not worked on', async () => {
  const builder = new StreamsBuilder();
  const other = { ...input, name: 'other-in' };
  builder.stream(input).merge(builder.stream(other)).to(output);
  const { port, runner, logged } = setUp(builder.build());
  port.broker.createTopic(other.name, 1);
  port.onJoin = async (member) => ({
    ...port.assignment(member, 1),
    partitions: [{ topic: input.name, partition: 0 }],
  });
  port.append([number('k', 1)]);
  const started = runner.start().then(
    () => 'started',
    () => 'not started',
  );
  await expect.poll(() => logged.join()).toMatch(/runs another topology.*deploy the same one/);
  expect(sums(port)).toEqual([]);
  await runner.close();
  expect(await started).toBe('not started');
});

test('what came before a record that fails is committed', async () => {
  const builder = new StreamsBuilder();
  builder
    .stream(input)
    .peek((_key, value) => {
      if (value === 13) throw new Error('13 is refused');
    })
    .to(output);
  const { port, runner, logged } = setUp(builder.build());
  port.append([number('k', 1), number('k', 2), number('k', 13), number('k', 3)]);
  await runner.start();
  await expect.poll(() => logged.join()).toContain('13 is refused');
  expect(sums(port)).toEqual([1, 2]);
  expect(port.broker.committed('app', [{ topic: input.name, partition: 0 }])).toMatchObject([{ offset: 2 }]);
  await runner.close();
});

test('a run that fails as soon as it has begun waits longer each time', async () => {
  const { port, runner, logged } = setUp();
  port.onCommit = () => Promise.reject(new Error('refused'));
  port.append([number('k', 1)]);
  await runner.start();
  const waits = () => logged.flatMap((line) => /starts again in (\d+) ms/.exec(line)?.[1] ?? []);
  await expect.poll(() => waits().length, { timeout: 3_000 }).toBeGreaterThanOrEqual(3);
  expect(waits().slice(0, 3)).toEqual(['100', '200', '400']);
  await runner.close();
});

test('repartition topics are purged up to what is committed', async () => {
  const builder = new StreamsBuilder();
  builder
    .stream(input)
    .selectKey((_key, value) => String(value))
    .repartition({ as: 'by-value', keySerde: Serdes.string })
    .to(output);
  const { port, runner } = setUp(builder.build());
  await runner.start();
  port.append([number('k', 1)]);
  await expect.poll(() => port.deleted).toMatchObject([{ topic: 'app-by-value-repartition', partition: 0, offset: 1 }]);
  await runner.close();
});

test('records that waited for a schema when the partition was given anew are processed by its new task, once', async () => {
  let away = true;
  const awaited: Serde<number> = {
    ...Serdes.integer,
    prepare: () => (away ? Promise.reject(new Error('registry is away')) : undefined),
  };
  const topic = { ...input, valueSerde: awaited };
  const builder = new StreamsBuilder();
  builder.stream(topic).to(output);
  const { port, runner, logged } = setUp(builder.build());
  await runner.start();
  port.append([number('k', 1), number('k', 2)]);
  await expect.poll(() => logged.join()).toContain('registry is away');
  const member = only(port);
  member.onAssigned({ ...port.assignment(member, 2), partitions: [] });
  member.onAssigned(port.assignment(member, 3));
  await sleep(50);
  port.append([number('k', 3)]);
  away = false;
  await expect.poll(() => sums(port), { timeout: 3_000 }).toEqual([1, 2, 3]);
  await runner.close();
});

test('a topic that a sink names while it runs is looked up, and one that is not there is named', async () => {
  const builder = new StreamsBuilder();
  builder.stream(input).to((_key, value) => (value === 13 ? 'nowhere' : output.name), output);
  const { port, runner, logged } = setUp(builder.build());
  await runner.start();
  port.append([number('k', 1), number('k', 2), number('k', 13)]);
  await expect.poll(() => sums(port), { timeout: 3_000 }).toEqual([1, 2]);
  await expect.poll(() => logged.join(), { timeout: 3_000 }).toContain('there is no topic nowhere');
  await runner.close();
});

test('while a transaction is held up the next one does not grow without end', async () => {
  let processed = 0;
  const builder = new StreamsBuilder();
  builder
    .stream(input)
    .flatMapValues((value) => {
      processed += 1;
      return Array.from({ length: 1_000 }, () => value);
    })
    .to(output);
  const { port, runner } = setUp(builder.build());
  await runner.start();
  const held = gate();
  port.onCommit = () => held.promise;
  port.append(Array.from({ length: 200 }, (_, index) => number('k', index)));
  for (let before = -1; before !== processed; await sleep(50)) before = processed;
  expect(processed).toBeGreaterThan(0);
  expect(processed).toBeLessThan(160);
  held.resolve();
  await expect.poll(() => processed, { timeout: 10_000 }).toBe(200);
  await runner.close();
}, 20_000);

describe('what others left open, and what was aborted', () => {
  test('instances that have gone are fenced before the offsets of their partitions are read', async () => {
    const { port, runner } = setUp();
    const asked: string[] = [];
    port.onJoin = async (member) => ({ ...port.assignment(member, 1), departed: ['gone', 'lost'] });
    port.fence = async (prefix) => {
      await sleep(5);
      asked.push(`fenced ${prefix}`);
    };
    const { committedOffsets } = port;
    port.committedOffsets = (group, partitions, options) => {
      asked.push(`offsets, ${options.requireStable ? 'stable' : 'any'}`);
      return committedOffsets(group, partitions, options);
    };
    await runner.start();
    await runner.close();
    expect(asked).toEqual(['fenced app/gone', 'fenced app/lost', 'offsets, stable']);
  });

  test('after an abort the state is that of the last commit, and the records since then come again', async () => {
    const { port, runner, logged } = setUp();
    await runner.start();
    port.append([number('k', 1)]);
    await expect.poll(() => sums(port)).toEqual([1]);
    let aborts = 0;
    port.onCommit = async ({ records }) => {
      if (records.length > 0 && aborts++ < 2) throw new Error('the group refused the offsets');
    };
    port.append([number('k', 10), number('k', 100)]);
    await expect.poll(() => sums(port), { timeout: 5_000 }).toEqual([1, 11, 111]);
    expect(aborts).toBeGreaterThan(2);
    expect(logged.join()).toContain('the group refused the offsets');
    expect(port.broker.committed('app', [{ topic: input.name, partition: 0 }])).toMatchObject([{ offset: 3 }]);
    await runner.close();
  });
});

test('a quiet application commits a record at once, not by a clock', async () => {
  const { port, runner } = setUp();
  await runner.start();
  for (let count = 1; count <= 3; count += 1) {
    await sleep(50);
    const committed = new Promise((resolve) => {
      port.onCommit = async () => void resolve('committed');
    });
    port.append([number('k', 1)]);
    expect(await Promise.race([committed, sleep(50, 'waited')])).toBe('committed');
  }
  await runner.close();
});

test('one transaction carries outputs, changelogs, dead letters and the offsets with the group as it is', async () => {
  const { port, runner } = setUp();
  port.append([number('k', 1), { ...number('k', 2), value: Uint8Array.of(1) }]);
  await runner.start();
  await expect.poll(() => port.transactions.length).toBeGreaterThan(0);
  await runner.close();
  const [transaction] = port.transactions;
  const topics = new Set(transaction?.records.map(({ topic }) => topic));
  expect([...topics].sort()).toEqual(['app-sums-changelog', `${input.name}.dlq`, output.name]);
  expect(transaction?.offsets).toMatchObject([{ topic: input.name, partition: 0, offset: 2 }]);
  expect(transaction?.group).toMatchObject({ groupId: 'app', generationId: 1, memberId: 'member-1' });
});

describe('a task of two inputs', () => {
  /** One by one: what comes out has the order in which the task took it. */
  const merged = () => {
    const builder = new StreamsBuilder();
    builder
      .stream(input)
      .merge(builder.stream({ ...input, name: 'other' }))
      .to(output);
    return builder.build();
  };
  const other = (value: number, offsetMs: number) => ({ ...number('k', value, offsetMs), topic: 'other' });

  test('after a restart an input that is at its end counts as idle from its committed offset', async () => {
    const first = setUp(merged());
    first.port.broker.createTopic('other', 1);
    await first.runner.start();
    first.port.append([number('k', 1), other(2, 1)]);
    await expect.poll(() => sums(first.port)).toEqual([1, 2]);
    await first.runner.close();
    const second = setUp(merged(), 1, { kafka: first.port });
    await second.runner.start();
    first.port.append([number('k', 3)]);
    await expect.poll(() => sums(first.port)).toEqual([1, 2, 3]);
    await second.runner.close();
  });

  test('waits maxTaskIdleMs for an input at its end, and goes on by itself, without another fetch', async () => {
    const { port, runner } = setUp(merged(), 1, { maxTaskIdleMs: 150 });
    port.broker.createTopic('other', 1);
    await runner.start();
    const since = performance.now();
    port.append([number('k', 1, 5)]);
    await sleep(50);
    expect(sums(port)).toEqual([]);
    port.append([other(2, 0)]); // came late, and is earlier
    await expect.poll(() => sums(port), { interval: 5 }).toEqual([2, 1]);
    expect(performance.now() - since).toBeGreaterThan(150);
    await runner.close();
  });
});

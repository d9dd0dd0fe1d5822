import { expect, test } from 'vitest';
import { StreamsBuilder } from '../index.ts';
import { InMemoryBroker } from '../kafka/in-memory-broker.ts';
import type { ProducedRecord } from '../kafka/port.ts';
import { MemoryStorage } from '../state/memory-storage.ts';
import { number, setUp } from '../test/scripted-run.ts';
import { input, output } from '../test/summing.ts';
import { GlobalTables } from './global-tables.ts';

const all = { ...input, name: 'all' };
const topology = () => {
  const builder = new StreamsBuilder();
  builder.globalTable(all, { store: 'rows' });
  builder.stream(input).to(output);
  return builder.build();
};
const row = (key: string, value: number): ProducedRecord => ({ ...number(key, value), topic: all.name });
const bad = (key: string): ProducedRecord => ({ ...row(key, 0), value: Uint8Array.of(1) });

test('the position of a partition with a letter stays where it was until the letter is sent; others go on', () => {
  const broker = new InMemoryBroker();
  broker.createTopic(all.name, 2);
  broker.append([row('a', 1), bad('b'), row('c', 3), { ...row('d', 4), partition: 1 }, bad('e'), row('f', 6)]);
  const storage = new MemoryStorage();
  const opened = () => new GlobalTables('app', topology().globalTables, storage);
  const positions = () => [0, 1].map((partition) => opened().position({ topic: all.name, partition }));
  const tables = opened();
  const give = (partition: number, max: number): void => {
    const at = { topic: all.name, partition };
    tables.addRecords(broker.fetch(at, tables.position(at), max));
  };
  give(0, 1);
  give(0, 1);
  give(0, 1);
  give(1, 1);
  expect(positions()).toEqual([1, 1]); // what a process that starts now reads from
  const first = tables.takeDeadLetters();
  give(0, 2);
  first.sent();
  expect(positions()).toEqual([3, 1]); // the second letter is not sent
  const second = tables.takeDeadLetters();
  expect([first, second].map(({ letters }) => letters.map(({ key }) => String.fromCharCode(...(key ?? []))))).toEqual([
    ['b'],
    ['e'],
  ]);
  second.sent();
  expect(positions()).toEqual([5, 1]);
});

test('letters are sent in turn; one that fails stops those behind it, and the next run sends them all', async () => {
  const { port, runner, logged } = setUp(topology());
  port.broker.createTopic(all.name, 1);
  await runner.start();
  const sent: string[] = [];
  let fails = true;
  const { producer } = port;
  port.producer = async () => {
    const real = await producer();
    return {
      ...real,
      send: async (records) => {
        sent.push([...records].map(({ key }) => String.fromCharCode(...(key ?? []))).join(''));
        await new Promise((resolve) => setTimeout(resolve, 20));
        if (fails) throw new Error('the broker has gone');
        return real.send(records);
      },
    };
  };
  port.append([bad('a')]);
  await expect.poll(() => sent).toEqual(['a']);
  port.append([bad('b')]);
  await expect.poll(() => logged.join()).toContain('the broker has gone');
  expect(sent).toEqual(['a']);
  fails = false;
  await expect.poll(() => port.broker.records('all.dlq').length, { timeout: 3_000 }).toBe(2);
  expect(sent).toEqual(['a', 'ab']);
  await runner.close();
});

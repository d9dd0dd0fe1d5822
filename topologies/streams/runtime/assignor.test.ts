import { expect, test } from 'vitest';
import { JoinWindows, Serdes, StreamsBuilder } from '../index.ts';
import type { ApplicationPlan } from '../plan/application-plan.ts';
import { summing } from '../test/summing.ts';
import { tasksGiven, tasksOf } from './assignor.ts';

const source = (topic: string) => ({ topic, internal: false, partitions: null, offsetReset: 'earliest' }) as const;
const joined: ApplicationPlan = {
  applicationId: 'app',
  subTopologies: [
    { id: 0, sources: [source('wide'), source('narrow')], sinkTopics: [], stores: [], coPartitioned: [] },
    { id: 1, sources: [source('other')], sinkTopics: [], stores: [], coPartitioned: [] },
  ],
  globalTables: [],
  hash: '',
};
const widths: Readonly<Record<string, number>> = { wide: 3, narrow: 2, other: 1 };

test('a task reads the same partition of every source that has it', () => {
  const tasks = tasksOf(joined, (topic) => widths[topic] ?? 0);
  expect(tasks.map(({ taskId, partitions }) => [taskId, partitions.map((one) => one.topic)])).toEqual([
    ['0_0', ['wide', 'narrow']],
    ['0_1', ['wide', 'narrow']],
    ['0_2', ['wide']],
    ['1_0', ['other']],
  ]);
});

test('the changelogs of a task are its partition of those of its stores', () => {
  const [, second] = tasksOf(summing().plan('app'), () => 2);
  expect(second?.changelogs).toEqual([{ topic: 'app-sums-changelog', partition: 1 }]);
});

test('what lies in the memory of its task alone has no copy anywhere: nobody can be behind with it', () => {
  const topic = (name: string) => ({ name, keySerde: Serdes.string, valueSerde: Serdes.string });
  const builder = new StreamsBuilder();
  builder
    .stream(topic('left'))
    .leftJoin(builder.stream(topic('right')), (l, r) => `${l}${r}`, JoinWindows.of(1, 1, 1), { as: 'met' })
    .to(topic('out'));
  const plan = builder.build().plan('app');
  const [task] = tasksOf(plan, () => 1);
  const stores = plan.subTopologies.flatMap((sub) => sub.stores);
  const windows = stores.filter((store) => store.spec.kind === 'window').map((store) => store.changelogTopic);
  const others = stores.map((store) => store.changelogTopic).filter((topic) => !windows.includes(topic));
  expect(windows).toHaveLength(2);
  expect(task?.changelogs.map((one) => one.topic)).toEqual(others); // who waits for a partner, on disk
  expect(others).toHaveLength(1);
});

test('a part of the inputs of a task is refused: somebody else has the rest', () => {
  const tasks = tasksOf(joined, (topic) => widths[topic] ?? 0);
  expect(tasksGiven('app', tasks, [{ topic: 'wide', partition: 2 }]).map((task) => task.taskId)).toEqual(['0_2']);
  expect(() => tasksGiven('app', tasks, [{ topic: 'wide', partition: 1 }])).toThrow(
    /without the other inputs of task 0_1/,
  );
});

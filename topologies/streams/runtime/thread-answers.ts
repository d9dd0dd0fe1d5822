import { taskIdOf } from '../plan/application-plan.ts';
import type { RowAnswer } from '../query/queried-instance.ts';
import type { OpenChanges, StoredChange } from '../query/store-changes.ts';
import { ownBytes, type ThreadAnswers } from './thread-messages.ts';
import { localOf, type StreamsWorker } from './worker.ts';

/** Changes in one message. */
const mostChanges = 1_000;

/** What the worker of a thread answers to the pool. */
export function answersOf(worker: StreamsWorker): ThreadAnswers {
  const watches = new Map<number, OpenChanges>();
  const rowsOf = (application: string) => localOf(worker, application).rows;
  return {
    metrics: () => worker.metrics(),
    tasks: (application) => rowsOf(application).tasks(),
    rows: (application, name, partition, query, onlyRunning) => {
      const rows = rowsOf(application);
      const store = rows.find(name);
      if (onlyRunning && store.sub !== null && !rows.state.task(taskIdOf(store.sub.id, partition))?.running)
        return null;
      return ownRows(rows.read(store, partition, query));
    },
    partitions: (application, store) => {
      const rows = rowsOf(application);
      return rows.partitionsOf(rows.find(store));
    },
    behind: (application, store, partition, position) => {
      const rows = rowsOf(application);
      return rows.behind(rows.find(store), partition, position);
    },
    watch: (watch, application, store, most) => {
      watches.set(watch, localOf(worker, application).changes.open(store, most));
    },
    changes: async (watch) => {
      const taken = await watches.get(watch)?.takeMany(mostChanges);
      return taken?.map((one) => (one.type === 'gap' ? one : ownChange(one))) ?? null;
    },
    unwatch: (watch) => {
      watches.get(watch)?.end();
      watches.delete(watch);
    },
  };
}

const ownRows = (answer: RowAnswer | null): RowAnswer | null =>
  answer && {
    ...answer,
    rows: answer.rows.map((row) => ({ ...row, key: ownBytes(row.key), value: ownBytes(row.value) })),
  };

const ownChange = (change: StoredChange): StoredChange => ({
  ...change,
  key: ownBytes(change.key),
  old: change.old && ownBytes(change.old),
  value: change.value && ownBytes(change.value),
});

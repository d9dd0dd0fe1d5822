/**
 * One instance of the order flow, as a program of its own: `instance.ts BOOTSTRAP STATE-FOLDER NAME`. Says "running" on stdout when it runs, and of each
 * restore `restored RECORDS MS TAKEN`, TAKEN being the records that its other tasks took meanwhile. Lives until it is killed.
 */
import { StreamsBuilder, StreamsWorker } from '../../index.ts';
import { inputTopics, orderFlow, outputTopics } from '../order-flow/topology.ts';

const [bootstrapServers = '', stateDir = '', instanceId = ''] = process.argv.slice(2);
const builder = new StreamsBuilder();
orderFlow(builder, inputTopics(''), outputTopics(''));
const worker = new StreamsWorker({
  applications: [{ applicationId: 'takeover', topology: builder.build() }],
  bootstrapServers,
  stateDir,
  instanceId,
  log: (level, event, message, fields) => {
    if (event === 'restored') console.log(`restored ${fields?.records} ${fields?.ms} ${taken() - before}`);
    else if (level === 'error') console.error(event, message);
  },
});
const taken = (): number => {
  const family = worker.metrics().find(({ name }) => name === 'streams_records_in_total');
  return family?.samples.reduce((sum, { value }) => sum + value, 0) ?? 0;
};
let before = 0;
worker.state$.subscribe((state) => {
  if (state === 'RESTORING') before = taken();
});
await worker.start();
console.log('running');

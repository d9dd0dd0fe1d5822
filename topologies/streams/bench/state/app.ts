/**
 * A worker with one table on disk, as a program of its own: `app.ts BOOTSTRAP STATE-FOLDER`. Says "running" on stdout when it runs, `restored N MS` for what it
 * had to read before; lives until it is killed.
 */
import { setFlagsFromString } from 'node:v8';
import { Serdes, StreamsBuilder, StreamsWorker } from '../../index.ts';

// V8 lets its heap grow to several times what lives in it; docs/running.md tells the price of this.
setFlagsFromString('--heap-growing-percent=30');

const [bootstrapServers = '', stateDir = ''] = process.argv.slice(2);
const builder = new StreamsBuilder();
builder.table({ name: 'rows', keySerde: Serdes.string, valueSerde: Serdes.bytes }, { store: 'rows' });
const worker = new StreamsWorker({
  applications: [{ applicationId: 'state', topology: builder.build() }],
  bootstrapServers,
  stateDir,
  instanceId: 'state-0',
  log: (level, event, message, fields) => {
    if (event === 'restored') console.log(`restored ${fields?.records} ${fields?.ms}`);
    else if (level !== 'info') console.error(level, event, message);
  },
});
await worker.start();
console.log('running');

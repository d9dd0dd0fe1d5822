// A worker of `summing` with a query endpoint, as a program that can be killed. It prints its endpoint's port.
import { StreamsWorker } from '../index.ts';
import { applicationId, summing } from './summing.ts';

const [bootstrapServers = '', stateDir = '', instanceId = ''] = process.argv.slice(2);
const worker = new StreamsWorker({
  applications: [{ applicationId, topology: summing() }],
  bootstrapServers,
  stateDir,
  instanceId,
  numStandbyReplicas: 1,
  queryEndpoint: { host: '127.0.0.1', port: 0 },
});
await worker.start();
console.log(worker.queryAddress?.port);

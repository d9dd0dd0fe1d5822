import { KafkajsPort } from './kafkajs-port.ts';
import type { KafkaPort } from './port.ts';

export * from './errors.ts';
export { partitionForKey } from './partitioner.ts';
export * from './port.ts';

/**
 * The port to a cluster, for tools and services that read and write beside the topologies.
 * @param options.bootstrapServers host:port of some of the brokers, separated by commas
 * @throws BrokerConnectionError – none of them could be reached
 */
export async function connectKafka(options: {
  readonly bootstrapServers: string;
  readonly clientId: string;
}): Promise<KafkaPort> {
  const port = new KafkajsPort({ bootstrapServers: options.bootstrapServers.split(','), clientId: options.clientId });
  await port.partitionCounts([]);
  return port;
}

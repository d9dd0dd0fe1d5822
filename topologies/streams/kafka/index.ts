import { KafkajsPort } from './kafkajs-port.ts';
import type { ConnectionConfig } from './kafkajs-seam/patched-kafkajs.ts';
import type { AdminPort, KafkaPort } from './port.ts';

export type { Decompressors } from './decompression.ts';
export * from './errors.ts';
export { partitionForKey } from './partitioner.ts';
export * from './port.ts';

/** How to reach a cluster. */
export interface KafkaConnection extends Omit<ConnectionConfig, 'bootstrapServers'> {
  /** host:port of some of the brokers, separated by commas. */
  readonly bootstrapServers: string;
}

/**
 * The port to a cluster, for tools and services that read and write beside the topologies.
 * @throws BrokerConnectionError – none of the brokers could be reached
 * @throws AuthenticationError – they refused the login
 */
export async function connectKafka({ bootstrapServers, ...options }: KafkaConnection): Promise<KafkaPort & AdminPort> {
  const port = new KafkajsPort({ ...options, bootstrapServers: bootstrapServers.split(',') });
  await port.partitionCounts([]);
  return port;
}

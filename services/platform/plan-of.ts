import { type ApplicationPlan, StreamsBuilder, type Topology } from '@bookstream/streams';
import type { OwnedTopology } from './owns.ts';

/** In the shop a dead letter parks its key: what comes of it later waits until an operator redrives it (`bookstream dlq`). */
export const parkDeadLetters = true;

export function topologyOf({ build }: OwnedTopology): Topology {
  const builder = new StreamsBuilder();
  build(builder);
  return builder.build();
}

/** As `host-topologies.ts` runs it. */
export const planOf = (owned: OwnedTopology): ApplicationPlan => {
  const topology = topologyOf(owned);
  return (parkDeadLetters ? topology.parkingDeadLetters() : topology).plan(owned.applicationId);
};

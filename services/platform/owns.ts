import type { Projection } from '@bookstream/projections/projection';
import type { StreamsBuilder } from '@bookstream/streams';

/** A Kafka Streams application: its id stays the same however it is hosted. */
export interface OwnedTopology {
  readonly applicationId: string;
  readonly build: (builder: StreamsBuilder) => void;
}

/** What a service answers for. */
export interface Owns {
  readonly topologies: readonly OwnedTopology[];
  readonly projections: readonly Projection[];
}

/** What several services own together: one process may host them all. */
export const allOf = (lists: readonly Owns[]): Owns => ({
  topologies: lists.flatMap((list) => list.topologies),
  projections: lists.flatMap((list) => list.projections),
});

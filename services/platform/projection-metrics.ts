import type { Projector } from '@bookstream/projections/projector';
import { Gauge, type Registry } from 'prom-client';

type Told = Pick<Projector, 'status'> & { readonly projection: Pick<Projector['projection'], 'name'> };

/** Registers how far the projections of this process are behind their topics. @param running asked at every answer */
export function registerProjections(registry: Registry, running: () => readonly Told[]): void {
  new Gauge({
    name: 'projection_lag_records',
    help: 'Offsets of a topic that a projection has not folded, of the partitions of this instance.',
    labelNames: ['projection', 'topic', 'partition'],
    registers: [registry],
    collect() {
      this.reset(); // partitions move
      for (const { projection, status } of running())
        for (const { topic, partition, nextOffset, end } of status)
          if (end !== null) this.set({ projection: projection.name, topic, partition }, Math.max(0, end - nextOffset));
    },
  });
}

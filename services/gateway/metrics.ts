import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { Asked, Outcome } from './operations.ts';

const labelNames = ['type', 'operation'] as const;

/** What the gateway measures of itself. Labels hold names of our own schema only, never anybody's id. */
export class GatewayMetrics {
  readonly #operations: Counter<'type' | 'operation' | 'outcome'>;
  readonly #durations: Histogram<'type' | 'operation'>;
  readonly #sockets: Gauge;
  readonly #feeds: Gauge<'operation'>;

  /** @throws Error when the registry has these names already */
  constructor(registry: Registry) {
    const registers = [registry];
    this.#operations = new Counter({
      name: 'gateway_operations_total',
      help: 'GraphQL operations that were answered, by what became of them; a subscription when its feed began or was refused.',
      labelNames: [...labelNames, 'outcome'],
      registers,
    });
    this.#durations = new Histogram({
      name: 'gateway_operation_duration_seconds',
      help: 'From a valid operation to its answer; of a subscription to the begin of its feed.',
      labelNames,
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
      registers,
    });
    this.#sockets = new Gauge({ name: 'gateway_open_websockets', help: 'WebSockets that are open.', registers });
    this.#feeds = new Gauge({
      name: 'gateway_open_feeds',
      help: 'Subscriptions that are being read, over WebSockets and server-sent events.',
      labelNames: ['operation'],
      registers,
    });
  }

  /** @param seconds null: it was refused before it could be timed */
  answered({ type, operation }: Asked, outcome: Outcome, seconds: number | null): void {
    this.#operations.inc({ type, operation, outcome });
    if (seconds !== null) this.#durations.observe({ type, operation }, seconds);
  }

  /** @returns what to call when it has closed */
  socketOpened(): () => void {
    this.#sockets.inc();
    return () => this.#sockets.dec();
  }

  /** @returns what to call when it has ended */
  feedBegan({ operation }: Asked): () => void {
    this.#feeds.inc({ operation });
    return () => this.#feeds.dec({ operation });
  }
}

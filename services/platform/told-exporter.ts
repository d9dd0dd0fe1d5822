import type { SpanExporter } from '@opentelemetry/sdk-trace';
import type { Logger } from './logger.ts';

type Spans = Parameters<SpanExporter['export']>[0];
type Done = Parameters<SpanExporter['export']>[1];

const sent = 0; // `ExportResultCode.SUCCESS` of @opentelemetry/core, which the SDK keeps for itself

/** Tells the log when spans cannot be sent, and when they can again: once each, not once a batch. Spans that were not sent are lost. */
export class ToldExporter implements SpanExporter {
  readonly #exporter: SpanExporter;
  readonly #to: string;
  readonly #logger: Pick<Logger, 'info' | 'warn'>;
  #isAway = false;
  #lost = 0;

  /** @param to where they go, for the log: a URL, of which only the host is told, for a password may stand in it */
  constructor(exporter: SpanExporter, to: string, logger: Pick<Logger, 'info' | 'warn'>) {
    this.#exporter = exporter;
    this.#to = new URL(to).host;
    this.#logger = logger;
  }

  /** The last batch was not taken. */
  get isAway(): boolean {
    return this.#isAway;
  }

  export(spans: Spans, done: Done): void {
    this.#exporter.export(spans, (result) => {
      if (result.code !== sent) this.#notSent(spans.length, result.error);
      else if (this.#isAway) this.#sentAgain();
      done(result);
    });
  }

  #notSent(count: number, error = new Error('it did not say why')): void {
    this.#lost += count;
    if (this.#isAway) return;
    this.#isAway = true;
    const message = `${this.#to} does not take spans (${error.message}); the shop goes on, they are lost until it does. Cure: start the collector, or unset OTEL_EXPORTER_OTLP_ENDPOINT`;
    this.#logger.warn('traces-not-sent', message, { error });
  }

  #sentAgain(): void {
    this.#logger.info('traces-sent-again', `${this.#to} takes spans again; ${this.#lost} were lost`, {
      lost: this.#lost,
    });
    this.#isAway = false;
    this.#lost = 0;
  }

  shutdown(): Promise<void> {
    return this.#exporter.shutdown();
  }

  async forceFlush(): Promise<void> {
    await this.#exporter.forceFlush?.();
  }
}

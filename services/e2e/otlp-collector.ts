import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A span as it came, in the process that sent it. */
export interface SentSpan {
  /** `service.name` */
  readonly service: string;
  readonly traceId: string;
  readonly spanId: string;
  /** Absent or empty: the first of its trace. */
  readonly parentSpanId?: string;
  readonly name: string;
  readonly kind: number;
  /** 2: error. */
  readonly status: { readonly code?: number; readonly message?: string };
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[];
}

interface Attribute {
  readonly key: string;
  readonly value: { readonly stringValue?: string };
}

/** What `@opentelemetry/exporter-trace-otlp-http` posts: ExportTraceServiceRequest of OTLP, as JSON. */
interface Sent {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly Attribute[] };
    readonly scopeSpans: readonly { readonly spans: readonly Omit<SentSpan, 'service'>[] }[];
  }[];
}

/** A collector for tests: takes spans as OTLP/HTTP in JSON, and keeps them. */
export class OtlpCollector implements AsyncDisposable {
  readonly spans: SentSpan[] = [];
  #server: Server | null = null;

  /** @param port 0: any free one. @returns what OTEL_EXPORTER_OTLP_ENDPOINT is to be */
  async listen(port = 0): Promise<string> {
    const server = createServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk);
      const isOurs = request.method === 'POST' && request.url === '/v1/traces';
      if (isOurs) this.#keep(JSON.parse(String(Buffer.concat(chunks))) as Sent);
      response.writeHead(isOurs ? 200 : 404, { 'content-type': 'application/json' }).end('{}');
    });
    this.#server = server;
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`; // a TCP server's address
  }

  #keep({ resourceSpans }: Sent): void {
    for (const { resource, scopeSpans } of resourceSpans) {
      const service = resource.attributes.find(({ key }) => key === 'service.name')?.value.stringValue ?? '';
      for (const { spans } of scopeSpans) this.spans.push(...spans.map((span) => ({ service, ...span })));
    }
  }

  /** Refuses connections from now on. */
  async close(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    if (server === null) return;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeAllConnections();
    await closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

import { type AddressInfo, createConnection, createServer, type Socket } from 'node:net';

/** One message of Kafka's protocol, in one direction. */
export interface Frame {
  readonly atMs: number;
  /** Behind its length: of a request the API key and version, then the correlation id; of an answer the correlation id. */
  readonly bytes: Buffer;
}

/** A connection that somebody has opened. The frames can be read only where nothing is encrypted. */
export interface TappedConnection {
  readonly requests: Frame[];
  readonly answers: Frame[];
  closed: boolean;
}

/** Stands between clients and a broker whose advertised port it is, and writes down what passes. */
export class WireTap implements AsyncDisposable {
  readonly connections: TappedConnection[] = [];
  /** Says true of a frame that is not to arrive: its connection is cut instead. */
  cutAt: (frame: Buffer, direction: 'request' | 'answer', connection: TappedConnection) => boolean = () => false;
  /** Says true of a frame that is not to arrive, nor anything behind it in its direction, though its connection stays up. */
  swallowFrom: (frame: Buffer, direction: 'request' | 'answer', connection: TappedConnection) => boolean = () => false;
  readonly #server = createServer((client) => this.#forward(client));
  readonly #sockets = new Set<Socket>();
  #target = 0;

  get port(): number {
    return (this.#server.address() as AddressInfo).port; // it listens
  }

  static async open(): Promise<WireTap> {
    const tap = new WireTap();
    await new Promise<void>((resolve) => tap.#server.listen(0, '127.0.0.1', resolve));
    return tap;
  }

  /** @param server host:port */
  forwardTo(server: string): void {
    this.#target = Number(server.split(':')[1]);
  }

  #forward(client: Socket): void {
    const connection: TappedConnection = { requests: [], answers: [], closed: false };
    this.connections.push(connection);
    const broker = createConnection(this.#target, '127.0.0.1');
    for (const socket of [client, broker]) {
      this.#sockets.add(socket);
      socket.setNoDelay(true);
      socket.on('error', () => {}); // 'close' follows
      socket.on('close', () => {
        connection.closed = true;
        this.#sockets.delete(socket);
        client.destroy();
        broker.destroy();
      });
    }
    const pass = (from: Socket, to: Socket, direction: 'request' | 'answer', frames: Frame[]): void => {
      let swallowed = false;
      const take = copyFrames((bytes) => {
        frames.push({ atMs: performance.now(), bytes });
        swallowed ||= this.swallowFrom(bytes, direction, connection);
        if (!this.cutAt(bytes, direction, connection)) return;
        client.destroy();
        broker.destroy();
      });
      from.on('data', (chunk) => {
        take(chunk);
        if (!swallowed) to.write(chunk);
      });
    };
    pass(client, broker, 'request', connection.requests);
    pass(broker, client, 'answer', connection.answers);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** Encrypted traffic looks like one endless frame. */
const copyFrames = (take: (frame: Buffer) => void): ((chunk: Buffer) => void) => {
  let rest = Buffer.alloc(0);
  return (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    while (rest.length >= 4) {
      const end = 4 + rest.readInt32BE(0);
      if (end > rest.length || end < 4) return;
      take(rest.subarray(4, end));
      rest = rest.subarray(end);
    }
  };
};

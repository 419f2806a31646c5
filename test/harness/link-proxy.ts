import { connect, createServer, type Server, type Socket } from 'node:net';

export type Direction = 'there' | 'back';

interface Pair {
  readonly client: Socket;
  readonly server: Socket;
  /** When what was written last to each side arrives: a delay that ends does not let bytes overtake others. */
  readonly arrives: Record<Direction, number>;
}

/**
 * Stands in the connection between two replicas. Each direction can be cut, or slowed down, apart: what is cut is lost,
 * and the connection ends when the cut is over, as TCP ends one whose packets got lost for long.
 */
export class LinkProxy {
  readonly #server: Server;
  readonly #pairs = new Set<Pair>();
  readonly #cut = new Set<Direction>();
  delayMs = 0;

  private constructor(server: Server) {
    this.#server = server;
  }

  /** Listens on `port` and leads to `target`, both on loopback. */
  static async open(port: number, target: number): Promise<LinkProxy> {
    const server = createServer();
    const proxy = new LinkProxy(server);
    server.on('connection', (client) => proxy.#join(client, connect(target, '127.0.0.1')));
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    return proxy;
  }

  cut(direction: Direction): void {
    this.#cut.add(direction);
  }

  /** Ends all cuts and delays. Connections that lost something are closed. */
  heal(): void {
    this.delayMs = 0;
    const wasCut = this.#cut.size > 0;
    this.#cut.clear();
    if (wasCut) this.#endAll();
  }

  async close(): Promise<void> {
    this.#endAll();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #endAll(): void {
    for (const { client, server } of this.#pairs) {
      client.destroy();
      server.destroy();
    }
  }

  #join(client: Socket, server: Socket): void {
    const pair: Pair = { client, server, arrives: { there: 0, back: 0 } };
    this.#pairs.add(pair);
    const end = (): void => {
      this.#pairs.delete(pair);
      client.destroy();
      server.destroy();
    };
    for (const socket of [client, server]) socket.setNoDelay(true).on('error', end).on('close', end);
    client.on('data', (bytes: Buffer) => this.#carry(pair, 'there', bytes));
    server.on('data', (bytes: Buffer) => this.#carry(pair, 'back', bytes));
  }

  #carry({ client, server, arrives }: Pair, direction: Direction, bytes: Buffer): void {
    // Lost: the connection ends with the cut.
    if (this.#cut.has(direction)) return;
    const to = direction === 'there' ? server : client;
    const now = performance.now();
    arrives[direction] = Math.max(arrives[direction], now + this.delayMs);
    if (arrives[direction] <= now) to.write(bytes);
    else setTimeout(() => to.write(bytes), arrives[direction] - now);
  }
}

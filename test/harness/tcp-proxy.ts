import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

interface Pair {
  readonly client: Socket;
  readonly server: Socket;
  /** What the client sent and the server has not got yet; undefined when everything goes through. */
  held: Buffer[] | undefined;
}

/** Stands between a client and a server on loopback, and breaks connections at the worst moment. */
export class TcpProxy {
  readonly #server: Server;
  readonly #pairs = new Set<Pair>();
  #swallow: (() => void) | undefined;
  #refusing = false;
  #frozen = false;
  #port: number;

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.#port = port;
  }

  static async open(port: number, host = '127.0.0.1'): Promise<TcpProxy> {
    const server = createServer();
    const proxy = new TcpProxy(server, port);
    server.on('connection', (client) => proxy.#accept(client, connect(proxy.#port, host)));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** The next answer of the server is lost, and the connection with it. Resolves then: the server has done its work. */
  swallowNextAnswer(): Promise<void> {
    return new Promise((resolve) => (this.#swallow = resolve));
  }

  /** What clients send from now on over the connections that are open waits here. */
  hold(): { cut: () => void; deliver: () => void; bytes: () => number } {
    const pairs = [...this.#pairs];
    for (const pair of pairs) pair.held = [];
    return {
      bytes: () =>
        pairs.reduce((sum, { held }) => sum + held!.reduce((bytes, { length }) => bytes + length, 0), 0),
      /** The client's side breaks; the server does not notice. */
      cut: () => pairs.forEach(({ client }) => client.destroy()),
      deliver: () => pairs.forEach(({ server, held }) => held!.forEach((bytes) => server.write(bytes))),
    };
  }

  /** Where connections lead that are made from now on. */
  leadTo(port: number): void {
    this.#port = port;
  }

  /** Connections are closed as soon as they are made. */
  refuse(refusing: boolean): void {
    this.#refusing = refusing;
  }

  /** Nothing comes through in either direction until `thaw`, and nobody is told: as without a network. */
  freeze(): void {
    this.#frozen = true;
    for (const { client, server } of this.#pairs) for (const socket of [client, server]) socket.pause();
  }
  thaw(): void {
    this.#frozen = false;
    for (const { client, server } of this.#pairs) for (const socket of [client, server]) socket.resume();
  }

  cutAll(): void {
    for (const { client, server } of this.#pairs) {
      client.destroy();
      server.destroy();
    }
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.cutAll();
    await closed;
  }

  #accept(client: Socket, server: Socket): void {
    const pair: Pair = { client, server, held: undefined };
    for (const socket of [client, server]) {
      socket.setNoDelay(true);
      socket.on('error', () => undefined);
    }
    if (this.#refusing) {
      client.destroy();
      server.destroy();
      return;
    }
    this.#pairs.add(pair);
    client.on('data', (bytes: Buffer) => {
      if (pair.held === undefined) server.write(bytes);
      else pair.held.push(bytes);
    });
    server.on('data', (bytes: Buffer) => {
      const swallow = this.#swallow;
      if (swallow === undefined) {
        client.write(bytes);
        return;
      }
      this.#swallow = undefined;
      client.destroy();
      server.destroy();
      swallow();
    });
    if (this.#frozen) for (const socket of [client, server]) socket.pause();
    client.on('close', () => {
      if (pair.held === undefined) server.destroy();
    });
    server.on('close', () => {
      this.#pairs.delete(pair);
      client.destroy();
    });
  }
}

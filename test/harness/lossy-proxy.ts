import { connect, createServer, type Server, type Socket } from 'node:net';
import { freePorts } from './tcp-ports.js';

/** What a cut does to what is under way: the server never hears the request, or the client never hears the answer. */
export type Cut = 'request' | 'answer';

/** Stands between a client and a server and breaks their connections where a test wants it. */
export class LossyProxy {
  readonly port: number;
  readonly #server: Server;
  readonly #pairs = new Set<{ readonly client: Socket; readonly server: Socket }>();
  #armed: { readonly cut: Cut; readonly when: (bytes: Buffer) => boolean } | undefined;
  /** Connections that were cut. */
  cuts = 0;

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.port = port;
  }

  static async open(target: { readonly host: string; readonly port: number }): Promise<LossyProxy> {
    const [port] = await freePorts(1);
    const server = createServer();
    const proxy = new LossyProxy(server, port!);
    server.on('connection', (client) => proxy.#join(client, connect(target.port, target.host)));
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    return proxy;
  }

  /** Cuts the connection on which the next bytes from a client satisfy `when`. */
  arm(cut: Cut, when: (bytes: Buffer) => boolean = () => true): void {
    this.#armed = { cut, when };
  }
  disarm(): void {
    this.#armed = undefined;
  }

  /** Where `url` leads, by way of this proxy. */
  through(url: string): string {
    const there = new URL(url);
    there.hostname = '127.0.0.1';
    there.port = String(this.port);
    return there.href;
  }

  /** Cuts every connection now. */
  cutAll(): void {
    for (const { client, server } of this.#pairs) {
      this.cuts++;
      client.destroy();
      server.destroy();
    }
  }

  async close(): Promise<void> {
    this.cutAll();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #join(client: Socket, server: Socket): void {
    const pair = { client, server };
    this.#pairs.add(pair);
    client.setNoDelay(true);
    server.setNoDelay(true);
    let deaf = false;
    const end = (): void => {
      this.#pairs.delete(pair);
      client.destroy();
      server.destroy();
    };
    for (const socket of [client, server]) socket.on('error', end).on('close', end);
    client.on('data', (bytes) => {
      if (this.#armed?.when(bytes) === true) {
        const { cut } = this.#armed;
        this.#armed = undefined;
        this.cuts++;
        if (cut === 'request') return end();
        // The answer to these bytes shows that the server is done with them; only then the connection breaks.
        deaf = true;
      }
      server.write(bytes);
    });
    server.on('data', (bytes) => {
      if (deaf) end();
      else client.write(bytes);
    });
  }
}

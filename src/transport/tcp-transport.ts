import { connect, createServer, type Server, type Socket } from 'node:net';
import type { ReplicaId } from '../kernel/index.js';
import type { Hello, Transport, TransportHandler } from '../replica/index.js';
import { Link, type LinkEvents, type LinkOptions } from './link.js';

export interface TransportLog {
  info(message: string): void;
  warn(message: string): void;
}

export interface TcpTransportOptions extends Partial<LinkOptions> {
  readonly self: ReplicaId;
  readonly listen: { readonly host: string; readonly port: number };
  readonly peers: readonly { readonly id: ReplicaId; readonly host: string; readonly port: number }[];
  readonly log: TransportLog;
  /** The first pause before calling again; it doubles up to the longest. Milliseconds, jittered. */
  readonly reconnectMs?: number;
  readonly reconnectMsMax?: number;
  readonly random?: () => number;
}

const REPEAT_LOG_MS = 60_000;

/**
 * One TCP link for each pair of replicas: the one with the higher id calls the one with the lower. A new link from a
 * peer replaces an old one (the peer restarted before we noticed that it had died).
 */
export function createTcpTransport(options: TcpTransportOptions): Transport {
  return new TcpTransport(options);
}

class TcpTransport implements Transport {
  readonly #options: TcpTransportOptions;
  readonly #link: LinkOptions;
  readonly #links = new Map<ReplicaId, Link>();
  readonly #all = new Set<Link>();
  readonly #callers = new Map<ReplicaId, { pauseMs: number; timer: NodeJS.Timeout | undefined }>();
  readonly #said = new Map<string, number>();
  #server: Server | undefined;
  #hello: (() => Hello) | undefined;
  #handler: TransportHandler | undefined;
  #closed = false;

  constructor(options: TcpTransportOptions) {
    this.#options = options;
    this.#link = {
      frameBytesMax: options.frameBytesMax ?? 64 * 1024 * 1024,
      queueBytesMax: options.queueBytesMax ?? 64 * 1024 * 1024,
      handshakeTimeoutMs: options.handshakeTimeoutMs ?? 3_000,
      silenceMs: options.silenceMs ?? 10_000,
    };
  }

  async start(hello: () => Hello, handler: TransportHandler): Promise<void> {
    this.#hello = hello;
    this.#handler = handler;
    const { listen, peers, self } = this.#options;
    this.#server = createServer((socket) => this.#adopt(socket, undefined));
    await new Promise<void>((resolve, reject) => {
      this.#server!.once('error', reject);
      this.#server!.listen(listen.port, listen.host, () => {
        this.#server!.off('error', reject);
        resolve();
      });
    });
    for (const { id } of peers) if (id < self) this.#call(id);
  }

  send(peer: ReplicaId, message: Uint8Array, urgency: 'normal' | 'droppable' | 'bulk'): boolean {
    return this.#links.get(peer)?.send(message, urgency) ?? false;
  }

  helloChanged(): void {
    for (const link of this.#links.values()) link.introduce();
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const { timer } of this.#callers.values()) clearTimeout(timer);
    for (const link of [...this.#all]) link.end('this replica stops');
    const server = this.#server;
    if (server !== undefined) await new Promise<void>((resolve) => server.close(() => resolve()));
  }

  // ---- links ----

  #call(id: ReplicaId): void {
    if (this.#closed) return;
    const peer = this.#options.peers.find((candidate) => candidate.id === id)!;
    const socket = connect({ host: peer.host, port: peer.port });
    const fail = (error: Error): void => {
      socket.destroy();
      this.#say(`replica ${id} cannot be reached at ${peer.host}:${peer.port}: ${error.message}`, false);
      this.#callLater(id);
    };
    socket.once('error', fail);
    socket.setTimeout(this.#link.handshakeTimeoutMs, () => fail(new Error('no answer')));
    socket.once('connect', () => {
      socket.off('error', fail);
      socket.removeAllListeners('timeout');
      this.#adopt(socket, id);
    });
  }

  #callLater(id: ReplicaId): void {
    if (this.#closed) return;
    const { reconnectMs = 20, reconnectMsMax = 1_000, random = Math.random } = this.#options;
    const caller = this.#callers.get(id) ?? { pauseMs: reconnectMs, timer: undefined };
    this.#callers.set(id, caller);
    clearTimeout(caller.timer);
    const waitMs = caller.pauseMs * (0.5 + random() / 2);
    caller.pauseMs = Math.min(reconnectMsMax, caller.pauseMs * 2);
    caller.timer = setTimeout(() => this.#call(id), waitMs);
  }

  #adopt(socket: Socket, expected: ReplicaId | undefined): void {
    if (this.#closed) return void socket.destroy();
    const events: LinkEvents = {
      onReady: (link, peer, hello) => this.#ready(link, peer, hello),
      onHello: (peer, hello) => this.#handler!.onUp(peer, hello),
      onMessage: (peer, message) => this.#handler!.onMessage(peer, message),
      onEnd: (link, reason, refused) => this.#ended(link, expected, reason, refused, socket.remoteAddress),
    };
    this.#all.add(new Link(socket, expected, this.#hello!, this.#link, events));
  }

  #ready(link: Link, peer: ReplicaId, hello: Hello): void {
    if (!this.#options.peers.some(({ id }) => id === peer)) {
      return link.end(
        `replica ${peer} is not in this replica's configuration: add it there, or stop it`,
        true,
      );
    }
    const older = this.#links.get(peer);
    this.#links.set(peer, link);
    older?.end('a newer link took its place');
    this.#callers.delete(peer);
    this.#handler!.onUp(peer, hello);
  }

  #ended(
    link: Link,
    expected: ReplicaId | undefined,
    reason: string,
    refused: boolean,
    address: string | undefined,
  ): void {
    this.#all.delete(link);
    if (refused)
      this.#say(
        `refused a link with ${expected === undefined ? address : `replica ${expected}`}: ${reason}`,
        true,
      );
    const { peer } = link;
    if (peer !== undefined && this.#links.get(peer) === link) {
      this.#links.delete(peer);
      this.#handler!.onDown(peer, reason);
    }
    if (expected !== undefined && (peer === undefined || !this.#links.has(peer))) this.#callLater(expected);
  }

  /** The same thing is said once a minute, however often it happens. */
  #say(message: string, warn: boolean): void {
    const now = performance.now();
    const last = this.#said.get(message);
    if (this.#closed || (last !== undefined && now - last < REPEAT_LOG_MS)) return;
    if (this.#said.size > 200) this.#said.clear();
    this.#said.set(message, now);
    if (warn) this.#options.log.warn(message);
    else this.#options.log.info(message);
  }
}

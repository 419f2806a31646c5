import { connect, createServer, type Server, type Socket } from 'node:net';
import { type Address, addressText, type Log, type ReplicaId } from '../kernel/index.js';
import type { Hello, PeerAddresses, Transport, TransportHandler } from '../replica/index.js';
import { Link, type LinkEvents, type LinkOptions } from './link.js';
import { type Expectation, ONLY_ASKED } from './handshake.js';
import type { Urgency } from './send-queue.js';

export interface TcpTransportOptions extends Partial<LinkOptions> {
  readonly self: ReplicaId;
  readonly listen: { readonly host: string; readonly port: number };
  readonly peers: readonly { readonly id: ReplicaId; readonly host: string; readonly port: number }[];
  readonly log: Log;
  /** First back-off before the next call; doubles up to `reconnectMsMax`. Milliseconds, jittered. */
  readonly reconnectMs?: number;
  readonly reconnectMsMax?: number;
  /** How long a replica waits for a call of one with a higher id before it asks there. Milliseconds. */
  readonly askAfterMs?: number;
  readonly random?: () => number;
}

/** A peer that this replica calls. */
interface Caller {
  backOffMs: number;
  timer: NodeJS.Timeout | undefined;
  /** When the current link was introduced. */
  readyAt: number | undefined;
}

/** Connections that have not said who they are, or that replace a link. */
const STRANGERS_MAX = 32;
/** When a peer whose link broke is asked again whether it still listens. Milliseconds after the answer before. */
const PROBES_MS = [5, 20, 100];
const REPEAT_LOG_MS = 60_000;
const REMEMBERED_LINES_MAX = 200;

/**
 * One TCP link for each pair of replicas: the one with the higher id calls the one with the lower, which asks when no call comes. A new link from a
 * peer replaces the old one (the peer restarted before this replica noticed its end).
 */
export function createTcpTransport(options: TcpTransportOptions): Transport {
  return new TcpTransport(options);
}

class TcpTransport implements Transport {
  readonly #options: TcpTransportOptions;
  readonly #link: LinkOptions;
  /** Where each is called, in turn: where the cluster says that it is, then where the settings do. */
  readonly #peers = new Map<ReplicaId, readonly Address[]>();
  readonly #turn = new Map<ReplicaId, number>();
  readonly #links = new Map<ReplicaId, Link>();
  readonly #all = new Set<Link>();
  /** Every open socket, including those that still connect and those that only deliver a refusal. */
  readonly #sockets = new Set<Socket>();
  readonly #callers = new Map<ReplicaId, Caller>();
  /** When each peer with a higher id is asked, unless it has a link by then. */
  readonly #asks = new Map<ReplicaId, NodeJS.Timeout>();
  /** Peers that had a link, whose fate is open. */
  readonly #lost = new Set<ReplicaId>();
  readonly #loggedAt = new Map<string, number>();
  /** Why each peer without a link has none. */
  readonly #problems = new Map<ReplicaId, string>();
  #server: Server | undefined;
  #hello: (() => Hello) | undefined;
  #handler: TransportHandler | undefined;
  #closed = false;

  constructor(options: TcpTransportOptions) {
    this.#options = options;
    for (const { id, host, port } of options.peers) this.#peers.set(id, [{ host, port }]);
    this.#link = {
      frameBytesMax: options.frameBytesMax ?? 64 * 1024 * 1024,
      queueBytesMax: options.queueBytesMax ?? 64 * 1024 * 1024,
      handshakeTimeoutMs: options.handshakeTimeoutMs ?? 3_000,
      silenceMs: options.silenceMs ?? 10_000,
      protocols: options.protocols,
    };
  }

  async start(hello: () => Hello, handler: TransportHandler): Promise<void> {
    this.#hello = hello;
    this.#handler = handler;
    const { listen, log } = this.#options;
    const server = createServer((socket) => this.#accept(socket));
    this.#server = server;
    // Strangers on this port are gone after the handshake timeout; they may not take all descriptors meanwhile.
    server.maxConnections = this.#peers.size + STRANGERS_MAX;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(listen.port, listen.host, () => {
        server.off('error', reject);
        server.on('error', (error) => log.warn(`the peers' listener failed: ${error.message}`));
        resolve();
      });
    });
    for (const id of this.#peers.keys()) this.#look(id);
  }

  #look(id: ReplicaId): void {
    if (id < this.#options.self) this.#connect(id);
    else this.#askLater(id);
  }

  setPeers(peers: readonly PeerAddresses[]): void {
    const settings = new Map(this.#options.peers.map((each) => [each.id, each]));
    const before = new Set(this.#peers.keys());
    this.#peers.clear();
    for (const { id, addresses } of peers) {
      const own = settings.get(id);
      const further = own === undefined || addresses.some((each) => same(each, own)) ? [] : [own];
      this.#peers.set(id, [...addresses, ...further]);
      if (!before.has(id) && this.#server !== undefined) this.#look(id);
    }
    if (this.#server !== undefined) this.#server.maxConnections = this.#peers.size + STRANGERS_MAX;
    for (const [id, link] of [...this.#links])
      if (!this.#peers.has(id)) link.end('it is none of the replicas of the cluster any more');
  }

  /** Undefined: nobody has said where it is, or it is no peer any more. */
  #addressOf(id: ReplicaId): Address | undefined {
    const addresses = this.#peers.get(id) ?? [];
    const turn = this.#turn.get(id) ?? 0;
    this.#turn.set(id, turn + 1);
    return addresses[turn % addresses.length];
  }

  send(peer: ReplicaId, message: Uint8Array, urgency: Urgency): boolean {
    return this.#links.get(peer)?.send(message, urgency) ?? false;
  }

  helloChanged(): void {
    for (const link of this.#all) link.helloChanged();
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const { timer } of this.#callers.values()) clearTimeout(timer);
    for (const timer of this.#asks.values()) clearTimeout(timer);
    for (const link of [...this.#all]) link.end('this replica stops');
    for (const socket of this.#sockets) socket.destroy();
    const server = this.#server;
    if (server !== undefined) await new Promise<void>((resolve) => server.close(() => resolve()));
  }

  // ---- connecting and accepting ----

  #connect(id: ReplicaId): void {
    if (this.#closed || !this.#peers.has(id)) return;
    const address = this.#addressOf(id);
    if (address === undefined) return this.#connectLater(id);
    const { host, port } = address;
    const socket = this.#tracked(connect({ host, port }));
    const fail = (error: NodeJS.ErrnoException): void => {
      socket.destroy();
      if (error.code === 'ECONNREFUSED') this.#refused(id);
      const problem = `replica ${id} cannot be reached at ${addressText({ host, port })}: ${error.message}`;
      this.#problem(id, problem);
      this.#logOnce(problem, false);
      this.#connectLater(id);
    };
    socket.once('error', fail);
    socket.setTimeout(this.#link.handshakeTimeoutMs, () => fail(new Error('no answer')));
    socket.once('connect', () => {
      socket.off('error', fail);
      socket.removeAllListeners('timeout');
      socket.setTimeout(0);
      this.#adopt(socket, id, `replica ${id} at ${addressText({ host, port })}`);
    });
  }

  #connectLater(id: ReplicaId): void {
    if (this.#closed || !this.#peers.has(id)) return;
    if (id > this.#options.self) return this.#askLater(id);
    const { reconnectMs = 20, reconnectMsMax = 1_000, random = Math.random } = this.#options;
    const caller = this.#callers.get(id) ?? { backOffMs: reconnectMs, timer: undefined, readyAt: undefined };
    this.#callers.set(id, caller);
    // Only a link that lasted resets the back-off: one that breaks at once must not be retried at once.
    const lasted = caller.readyAt !== undefined && performance.now() - caller.readyAt >= reconnectMsMax;
    if (lasted) caller.backOffMs = reconnectMs;
    caller.readyAt = undefined;
    const waitMs = caller.backOffMs * (0.5 + random() / 2);
    caller.backOffMs = Math.min(reconnectMsMax, caller.backOffMs * 2);
    clearTimeout(caller.timer);
    caller.timer = setTimeout(() => this.#connect(id), waitMs);
  }

  /**
   * A replica with a higher id that does not call may have another list of replicas than this one. Either end sees that from a
   * call, and learns there what its peer remembers; where nothing is wrong the call is refused, and changes nothing.
   */
  #askLater(id: ReplicaId): void {
    const { askAfterMs = 2_000, random = Math.random } = this.#options;
    const ask = (): void => {
      if (!this.#peers.has(id)) return;
      if (this.#links.has(id)) this.#askLater(id);
      else this.#connect(id);
    };
    clearTimeout(this.#asks.get(id));
    this.#asks.set(id, setTimeout(ask, askAfterMs * (0.5 + random() / 2)));
  }

  #accept(socket: Socket): void {
    this.#adopt(this.#tracked(socket), undefined, socket.remoteAddress ?? 'a caller that has disconnected');
  }

  #tracked(socket: Socket): Socket {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    return socket;
  }

  // ---- links ----

  /** `whom` names the peer in log lines. */
  #adopt(socket: Socket, called: ReplicaId | undefined, whom: string): void {
    if (this.#closed) return void socket.destroy();
    const events: LinkEvents = {
      onReady: (link, peer, hello) => this.#ready(link, peer, hello),
      onHello: (peer, hello) => this.#handler!.onUp(peer, hello),
      onMessage: (peer, message) => this.#handler!.onMessage(peer, message),
      onRefused: (hello, reason) => {
        if (!reason.endsWith(ONLY_ASKED)) this.#problem(hello.replicaId, reason);
        this.#handler!.onRefused(hello);
      },
      onStranger: (peer, reason) => this.#problem(peer, reason),
      onEnd: (link, reason, refused) => {
        this.#ended(link, reason);
        const isWrong = !reason.endsWith(ONLY_ASKED);
        if (called !== undefined && isWrong) this.#problem(called, reason);
        if (refused === 'by-us') this.#logOnce(`refused a link with ${whom}: ${reason}`, isWrong);
        else if (refused === 'by-them') this.#logOnce(`${whom} refused a link: ${reason}`, isWrong);
        else if (link.peer === undefined) this.#logOnce(`no link with ${whom}: ${reason}`, false);
        if (called !== undefined) this.#connectLater(called);
      },
    };
    const expectation: Expectation = {
      called,
      peers: this.#peers,
      refuses: (hello) => this.#handler!.refuses(hello),
    };
    this.#all.add(new Link(socket, expectation, this.#hello!, this.#link, events));
  }

  #ready(link: Link, peer: ReplicaId, hello: Hello): void {
    // The messages of the old link are lost: the handler must hear `onDown` before `onUp`.
    this.#links.get(peer)?.end('a newer link took its place');
    this.#links.set(peer, link);
    this.#lost.delete(peer);
    this.#problems.delete(peer);
    const caller = this.#callers.get(peer);
    if (caller !== undefined) caller.readyAt = performance.now();
    this.#handler!.onUp(peer, hello);
  }

  #ended(link: Link, reason: string): void {
    this.#all.delete(link);
    const { peer } = link;
    if (peer === undefined || this.#links.get(peer) !== link) return;
    this.#links.delete(peer);
    this.#handler!.onDown(peer, reason);
    if (this.#closed) return;
    this.#lost.add(peer);
    // The end that calls learns it from its next call.
    if (peer > this.#options.self) this.#probe(peer, PROBES_MS);
  }

  /** Asks whether a peer whose link broke still listens. */
  #probe(peer: ReplicaId, [delayMs, ...rest]: readonly number[]): void {
    if (this.#closed || !this.#lost.has(peer)) return;
    const address = this.#addressOf(peer);
    if (address === undefined) return;
    const { host, port } = address;
    const socket = this.#tracked(connect({ host, port }));
    // It listens, or its system has not closed everything yet.
    const later = (): void => {
      socket.destroy();
      if (delayMs !== undefined) setTimeout(() => this.#probe(peer, rest), delayMs).unref();
    };
    socket.setTimeout(this.#link.handshakeTimeoutMs, () => socket.destroy());
    socket.once('connect', later);
    socket.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED') this.#refused(peer);
      else later();
    });
  }

  queuedBytes(peer: ReplicaId): number {
    return this.#links.get(peer)?.queued ?? 0;
  }
  problemWith(peer: ReplicaId): string | undefined {
    return this.#problems.get(peer);
  }
  protocolWith(peer: ReplicaId): number | undefined {
    return this.#links.get(peer)?.protocol;
  }
  #problem(peer: ReplicaId, reason: string): void {
    if (this.#peers.has(peer) && !this.#links.has(peer)) this.#problems.set(peer, reason);
  }

  /** Nobody listens where a peer was linked before: its process has ended. */
  #refused(peer: ReplicaId): void {
    if (this.#lost.delete(peer) && !this.#closed) this.#handler!.onDied(peer);
  }

  /** Logs the same line at most once a minute. */
  #logOnce(message: string, warn: boolean): void {
    const now = performance.now();
    const last = this.#loggedAt.get(message);
    if (this.#closed || (last !== undefined && now - last < REPEAT_LOG_MS)) return;
    if (this.#loggedAt.size >= REMEMBERED_LINES_MAX) this.#loggedAt.clear();
    this.#loggedAt.set(message, now);
    if (warn) this.#options.log.warn(message);
    else this.#options.log.info(message);
  }
}

const same = (a: Address, b: Address): boolean => a.host === b.host && a.port === b.port;

import type { Random, ReplicaId } from '../kernel/index.js';
import type { Hello, PeerAddresses, Transport, TransportHandler } from '../replica/index.js';
import { decodeIntroduction, encodeIntroduction, refusal } from '../transport/index.js';
import type { Trace } from './trace.js';
import type { VirtualTime } from './virtual-time.js';

/** A peer that says nothing for this long is given up. Milliseconds. */
const SILENCE_MS = 500;
/** One way. Milliseconds. */
const DELAY_MS = 0.5;
const RECONNECT_MS = 30;
const QUEUE_BYTES_MAX = 1024 * 1024;
const SHARE = { normal: 1, droppable: 0.25, bulk: 0.5 } as const;
type Urgency = keyof typeof SHARE;
/** When a peer whose link broke is asked whether it still listens, again and again. Milliseconds after the answer before. */
const PROBES_MS = [5, 20, 100, 200, 400];

interface Node {
  readonly id: ReplicaId;
  readonly hello: () => Hello;
  readonly handler: TransportHandler;
  /** Runs in the process, if it lives then. */
  readonly inProcess: (run: () => void, source: string) => void;
  /** Peers that had a link, whose fate is open. */
  readonly lost: Set<ReplicaId>;
  readonly peers: Peers;
}
/** Whom a replica wants links with, and whether it knows where they are. */
type Peers = Map<ReplicaId, boolean>;

/** One connection between two processes. What is under way when it ends is lost. */
interface Link {
  open: boolean;
  readonly nodes: readonly [Node, Node];
  readonly pipes: readonly [Pipe, Pipe];
  /** Those that have heard of it: who was stopped meanwhile sends nothing over it before. */
  readonly known: Set<ReplicaId>;
}
/** What is as urgent stays in order; what is more urgent may overtake. */
interface Pipe {
  readonly arrivesAt: Record<Urgency, number>;
  readonly queuedBytes: Record<Urgency, number>;
  /** Waiting for the direction to be mended. */
  held: (() => void)[];
}

const none = (): Record<Urgency, number> => ({ droppable: 0, normal: 0, bulk: 0 });
const pipe = (): Pipe => ({ arrivesAt: none(), queuedBytes: none(), held: [] });
const pair = (a: ReplicaId, b: ReplicaId): string => (a < b ? `${a}-${b}` : `${b}-${a}`);
const sourceOf = (peer: ReplicaId): string => `replica ${peer}`;
const way = (from: ReplicaId, to: ReplicaId): string => `${from}>${to}`;

/**
 * Links as the port of the transport promises them: at most once, in the order of those that are as urgent, and broken when one
 * direction is silent for too long.
 */
export class SimulatedNetwork {
  /** Bytes a millisecond on every link. */
  bandwidth = Number.POSITIVE_INFINITY;
  delayMs = DELAY_MS;
  /** Two have introduced themselves, and neither has refused the other. */
  linked: (a: ReplicaId, b: ReplicaId) => void = () => undefined;
  readonly #time: VirtualTime;
  readonly #random: Random;
  readonly #trace: Trace;
  readonly #nodes = new Map<ReplicaId, Node>();
  readonly #links = new Map<string, Link>();
  readonly #cut = new Set<string>();
  /** Machines that are off: nobody there refuses a connection. */
  readonly #off = new Set<ReplicaId>();

  constructor(time: VirtualTime, random: Random, trace: Trace) {
    this.#time = time;
    this.#random = random;
    this.#trace = trace;
  }

  /** The transport of one process. `named`: whom its settings name. `mayAct` is false once it is dead. */
  transport(
    id: ReplicaId,
    named: readonly ReplicaId[],
    mayAct: (what: string) => boolean,
    inProcess: (run: () => void, source: string) => void,
  ): Transport {
    const peers: Peers = new Map(named.map((peer) => [peer, true]));
    return {
      start: (hello, handler) => {
        this.#nodes.set(id, { id, hello, handler, inProcess, lost: new Set(), peers });
        this.#off.delete(id);
        for (const other of this.#nodes.values()) if (other.id !== id) this.#connect(id, other.id);
        return Promise.resolve();
      },
      send: (peer, message, urgency) => {
        if (!mayAct('send')) return false;
        return this.#send(id, peer, Buffer.from(message), urgency);
      },
      helloChanged: () => {
        const node = this.#nodes.get(id);
        if (node === undefined) return;
        const hello = node.hello();
        for (const link of this.#linksOf(id)) {
          const side = link.nodes[0] === node ? 0 : 1;
          this.#carry(link, side, 256, 'droppable', (to) => to.handler.onUp(id, hello));
        }
      },
      setPeers: (all) => this.#setPeers(id, peers, named, all),
      close: () => {
        this.gone(id, true);
        return Promise.resolve();
      },
    };
  }

  #setPeers(id: ReplicaId, peers: Peers, named: readonly ReplicaId[], all: readonly PeerAddresses[]): void {
    const before = new Map(peers);
    peers.clear();
    for (const { id: peer, addresses } of all) peers.set(peer, addresses.length > 0 || named.includes(peer));
    if (this.#nodes.get(id)?.peers !== peers) return;
    for (const [peer, isCalled] of peers)
      if (before.get(peer) !== isCalled && this.#links.get(pair(id, peer))?.open !== true)
        this.#connect(id, peer);
    for (const peer of before.keys()) {
      const link = peers.has(peer) ? undefined : this.#links.get(pair(id, peer));
      if (link !== undefined) this.#time.after(0, () => this.#end(link));
    }
  }

  /** The process is gone. `noticed`: its system closes the links, as it does when only the process ends. */
  gone(id: ReplicaId, noticed: boolean): void {
    const links = this.#linksOf(id);
    this.#nodes.delete(id);
    if (!noticed) this.#off.add(id);
    for (const link of links) this.#time.after(noticed ? this.delayMs : SILENCE_MS, () => this.#end(link));
    if (!noticed && links.length > 0) this.#trace.reached('a machine fell silent');
  }

  cut(from: ReplicaId, to: ReplicaId): void {
    this.#cut.add(way(from, to));
    this.#trace.recorder?.cut(from, to);
    const link = this.#links.get(pair(from, to));
    if (link === undefined) return;
    this.#time.after(SILENCE_MS, () => {
      if (this.#cut.has(way(from, to))) this.#end(link);
    });
  }
  mend(from: ReplicaId, to: ReplicaId): void {
    if (!this.#cut.delete(way(from, to))) return;
    this.#trace.recorder?.mended(from, to);
    const link = this.#links.get(pair(from, to));
    if (link === undefined || !link.open) return this.#connect(from, to);
    for (const { held } of link.pipes) for (const go of held.splice(0)) go();
  }
  heal(): void {
    this.bandwidth = Number.POSITIVE_INFINITY;
    this.delayMs = DELAY_MS;
    const ids = [...this.#nodes.keys()];
    for (const from of ids) for (const to of ids) if (from !== to) this.mend(from, to);
    this.#cut.clear();
    this.#trace.recorder?.healed();
  }
  /** The connection breaks; both ends try again. */
  reset(a: ReplicaId, b: ReplicaId): void {
    const link = this.#links.get(pair(a, b));
    if (link !== undefined) this.#end(link);
  }

  #linksOf(id: ReplicaId): Link[] {
    return [...this.#links.values()].filter(({ nodes }) => nodes.some((node) => node.id === id));
  }

  #connect(a: ReplicaId, b: ReplicaId): void {
    this.#time.after(RECONNECT_MS * (0.5 + this.#random.next()), () => {
      const [first, second] = [this.#nodes.get(a), this.#nodes.get(b)];
      if (first === undefined || second === undefined || this.#links.get(pair(a, b))?.open === true) return;
      if (this.#cut.has(way(a, b)) || this.#cut.has(way(b, a))) return;
      const [lower, higher] = first.id < second.id ? [first, second] : [second, first];
      const isCalled = higher.peers.get(lower.id) === true;
      if (!isCalled && lower.peers.get(higher.id) !== true) return;
      // One with a lower id only asks, and its call is refused.
      const refused = this.#refused(first, second) || this.#refused(second, first);
      if (refused || !isCalled) return this.#turnAway(first, second);
      const link: Link = { open: true, nodes: [first, second], pipes: [pipe(), pipe()], known: new Set() };
      this.#links.set(pair(a, b), link);
      this.linked(a, b);
      const hellos = [first.hello(), second.hello()] as const;
      this.#introduce(link, 0, (to) => to.handler.onUp(first.id, hellos[0]));
      this.#introduce(link, 1, (to) => to.handler.onUp(second.id, hellos[1]));
    });
  }

  /** Nothing arrives before the introduction. */
  #introduce(link: Link, side: 0 | 1, deliver: (to: Node) => void): void {
    const [own, other] = side === 0 ? link.nodes : [link.nodes[1], link.nodes[0]];
    own.lost.delete(other.id);
    this.#carry(link, side, 256, 'droppable', (to) => {
      link.known.add(to.id);
      deliver(to);
    });
    const { arrivesAt } = link.pipes[side];
    arrivesAt.normal = arrivesAt.bulk = arrivesAt.droppable;
  }

  /** Asks whether a peer whose link broke still listens: where nobody does its process has ended. */
  #probe(node: Node, peer: ReplicaId, [againMs, ...rest]: readonly number[]): void {
    this.#time.after(2 * this.delayMs, () => {
      if (this.#nodes.get(node.id) !== node || !node.lost.has(peer)) return;
      if (this.#cut.has(way(node.id, peer)) || this.#cut.has(way(peer, node.id))) return;
      if (!this.#nodes.has(peer) && !this.#off.has(peer)) {
        node.lost.delete(peer);
        this.#trace.reached('the end of a process was known');
        node.inProcess(() => node.handler.onDied(peer), sourceOf(peer));
      } else if (againMs !== undefined) this.#time.after(againMs, () => this.#probe(node, peer, rest));
    });
  }

  /** Whether one end turns the other away, by what each says of itself. The one with the higher id calls. */
  #refused(own: Node, other: Node): boolean {
    const theirs = decodeIntroduction(encodeIntroduction(own.id, other.hello()));
    const called = own.id > other.id ? other.id : undefined;
    const reason = refusal(own.hello(), theirs, {
      ...{ called, peers: own.peers },
      refuses: (hello) => own.handler.refuses(hello),
    });
    if (reason !== undefined) this.#trace.reached('replicas that disagree did not talk');
    return reason !== undefined;
  }

  /** Each hears what the other says of itself: who is not called asks. */
  #turnAway(first: Node, second: Node): void {
    const hellos = [first.hello(), second.hello()] as const;
    first.inProcess(() => first.handler.onRefused(hellos[1]), sourceOf(second.id));
    second.inProcess(() => second.handler.onRefused(hellos[0]), sourceOf(first.id));
    this.#connect(first.id, second.id);
  }

  #end(link: Link): void {
    if (!link.open) return;
    link.open = false;
    const [a, b] = link.nodes;
    this.#trace.note(this.#time.now, `link ${a.id}-${b.id} broke`);
    for (const [node, other] of [
      [a, b],
      [b, a],
    ] as const) {
      if (this.#nodes.get(node.id) !== node) continue;
      node.inProcess(() => node.handler.onDown(other.id, 'it broke'), sourceOf(other.id));
      node.lost.add(other.id);
      this.#probe(node, other.id, PROBES_MS);
    }
    this.#connect(a.id, b.id);
  }

  #send(from: ReplicaId, to: ReplicaId, bytes: Buffer, urgency: Urgency): boolean {
    const link = this.#links.get(pair(from, to));
    if (link?.open !== true || !link.known.has(from)) return false;
    const side = link.nodes[0].id === from ? 0 : 1;
    const { droppable, normal, bulk } = link.pipes[side].queuedBytes;
    const queued = urgency === 'droppable' ? droppable : droppable + normal + bulk;
    if (queued + bytes.length > QUEUE_BYTES_MAX * SHARE[urgency]) {
      this.#trace.reached('a queue was full');
      return false;
    }
    const arrived = this.#trace.recorder?.sent(from, to, bytes);
    this.#carry(link, side, bytes.length, urgency, (node) => {
      arrived?.();
      this.#trace.message(this.#time.now, from, to, bytes[0]!, bytes.length);
      node.handler.onMessage(from, bytes);
    });
    return true;
  }

  #carry(link: Link, side: 0 | 1, bytes: number, urgency: Urgency, deliver: (to: Node) => void): void {
    const lane = link.pipes[side];
    const [from, to] = side === 0 ? link.nodes : [link.nodes[1], link.nodes[0]];
    const { arrivesAt, queuedBytes } = lane;
    const starts = Math.max(this.#time.now, arrivesAt[urgency] - this.delayMs);
    const jitter = this.#random.chance(0.05) ? this.#random.next() * 20 : this.#random.next() * 0.3;
    arrivesAt[urgency] = Math.max(
      arrivesAt[urgency],
      starts + bytes / this.bandwidth + this.delayMs + jitter,
    );
    queuedBytes[urgency] += bytes;
    const arrive = (): void => {
      if (!link.open || this.#nodes.get(to.id) !== to) return;
      if (this.#cut.has(way(from.id, to.id)) || lane.held.length > 0) return void lane.held.push(arrive);
      queuedBytes[urgency] -= bytes;
      to.inProcess(() => {
        if (link.open) deliver(to);
      }, sourceOf(from.id));
    };
    this.#time.after(arrivesAt[urgency] - this.#time.now, arrive);
  }
}

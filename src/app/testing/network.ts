import type { ReplicaId } from '../../kernel/index.js';
import type { Clock, Hello, Transport, TransportHandler } from '../../replica/index.js';
import type { Gate } from './gate.js';

interface Node {
  readonly id: ReplicaId;
  readonly gate: Gate;
  readonly hello: () => Hello;
  readonly handler: TransportHandler;
}

const pair = (a: ReplicaId, b: ReplicaId): string => (a < b ? `${a}-${b}` : `${b}-${a}`);

/** Links between the replicas of a test cluster, in memory: in order, and lost with the link. */
export class MemoryNetwork {
  readonly #clock: Clock;
  readonly #nodes = new Map<ReplicaId, Node>();
  /** The number of the link that two nodes have, or had last: what was sent over an earlier one is lost. */
  readonly #links = new Map<string, number>();
  readonly #up = new Set<string>();
  #group = new Map<ReplicaId, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  transport(id: ReplicaId, gate: Gate): Transport {
    return {
      start: (hello, handler) => {
        this.#nodes.set(id, { id, gate, hello, handler });
        for (const other of this.#nodes.keys()) if (other !== id) this.#connect(id, other);
        return Promise.resolve();
      },
      send: (peer, message, urgency) => {
        const to = this.#nodes.get(peer);
        if (to === undefined || !gate.open || !this.#up.has(pair(id, peer))) return false;
        // A replica that stands still does not need to hear later who led meanwhile.
        if (!to.gate.open && urgency === 'droppable') return false;
        const bytes = Buffer.from(message);
        this.#deliver(id, to, () => to.handler.onMessage(id, bytes));
        return true;
      },
      helloChanged: () => {
        const hello = this.#nodes.get(id)?.hello();
        if (hello === undefined) return;
        for (const to of this.#nodes.values())
          if (this.#up.has(pair(id, to.id))) this.#deliver(id, to, () => to.handler.onUp(id, hello));
      },
      // All replicas of a test cluster are there from the start.
      setPeers: () => undefined,
      close: () => {
        this.gone(id);
        return Promise.resolve();
      },
    };
  }

  /** Its process has ended: the others notice at once. */
  gone(id: ReplicaId): void {
    this.#nodes.delete(id);
    for (const other of this.#nodes.values()) {
      if (!this.#up.has(pair(id, other.id))) continue;
      this.#break(id, other.id);
      this.#tell(other, () => other.handler.onDied(id));
    }
  }

  /** Replicas of different groups do not reach each other; who is in none reaches all. */
  partition(groups: readonly (readonly ReplicaId[])[]): void {
    this.#group = new Map(groups.flatMap((ids, index) => ids.map((id): [ReplicaId, number] => [id, index])));
    const ids = [...this.#nodes.keys()];
    for (const a of ids)
      for (const b of ids)
        if (a < b) {
          if (this.#reaches(a, b)) this.#connect(a, b);
          else this.#break(a, b);
        }
  }

  #reaches(a: ReplicaId, b: ReplicaId): boolean {
    const [one, other] = [this.#group.get(a), this.#group.get(b)];
    return one === undefined || other === undefined || one === other;
  }

  #connect(a: ReplicaId, b: ReplicaId): void {
    const link = pair(a, b);
    const [first, second] = [this.#nodes.get(a), this.#nodes.get(b)];
    if (first === undefined || second === undefined || this.#up.has(link) || !this.#reaches(a, b)) return;
    this.#up.add(link);
    this.#links.set(link, (this.#links.get(link) ?? 0) + 1);
    const hellos = [first.hello(), second.hello()] as const;
    this.#deliver(a, second, () => second.handler.onUp(a, hellos[0]));
    this.#deliver(b, first, () => first.handler.onUp(b, hellos[1]));
  }

  #break(a: ReplicaId, b: ReplicaId): void {
    if (!this.#up.delete(pair(a, b))) return;
    for (const [id, other] of [
      [a, b],
      [b, a],
    ] as const) {
      const node = this.#nodes.get(id);
      if (node !== undefined) this.#tell(node, () => node.handler.onDown(other, 'the link broke'));
    }
  }

  #deliver(from: ReplicaId, to: Node, deliver: () => void): void {
    const link = pair(from, to.id);
    const number = this.#links.get(link);
    this.#tell(to, () => {
      if (this.#up.has(link) && this.#links.get(link) === number) deliver();
    });
  }
  #tell(to: Node, tell: () => void): void {
    this.#clock.endOfTurn(() => {
      if (this.#nodes.get(to.id) === to) to.gate.run(tell);
    });
  }
}

import { type ReplicaId, slot } from '../../../src/kernel/index.js';
import {
  type Ballot,
  compareBallots,
  type Effect,
  formatBallot,
  maxBallot,
  type Message,
} from '../../../src/paxos/index.js';
import type { Node } from './node.js';
import { valueText } from './value.js';

export class Violation extends Error {
  override readonly name = 'Violation';
}

/** What must hold in every run of the simulated cluster. Each check throws a Violation. */
export class Checks {
  readonly #now: () => number;
  /** What is chosen, by slot, as any replica has ever said. */
  readonly #chosen = new Map<number, string>();
  readonly #proposed = new Set<string>();
  readonly #open = new Set<string>();
  readonly #reads = new Map<string, number>();
  /** The highest slot whose proposer was told that it is chosen. */
  #acknowledged = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  fail(what: string): never {
    throw new Violation(`${what} (at ${this.#now().toFixed(1)} ms)`);
  }

  // ---- what clients do ----

  proposes(node: Node, id: number, value: string): void {
    this.#proposed.add(value);
    this.#open.add(`${node.id}/${node.life}/${id}/${value}`);
  }

  reads(node: Node, id: number): void {
    this.#reads.set(`${node.id}/${node.life}/${id}`, this.#acknowledged);
  }

  // ---- what a replica does ----

  /** It remembers after a restart what it had revealed before. */
  restarted(node: Node): void {
    const { promised, configuration } = node.core!.status(node.clock(this.#now()));
    for (const [number, revealed] of node.revealed) {
      if (number < configuration.number) continue;
      if (number > configuration.number || compareBallots(promised, revealed) < 0)
        this.fail(
          `replica ${node.id} promised ${formatBallot(revealed)} in configuration ${number}, and remembers ${formatBallot(promised)} in ${configuration.number} after a restart`,
        );
    }
  }

  /** Nothing leaves before the state that it reports is on disk. */
  sends(node: Node, message: Message): void {
    const durable = node.durableIn(message.configuration);
    const reveals = (ballot: Ballot): void => {
      if (compareBallots(durable.promised, ballot) < 0)
        this.fail(`replica ${node.id} reveals ${formatBallot(ballot)} before it is durable`);
      const before = node.revealed.get(message.configuration) ?? ballot;
      node.revealed.set(message.configuration, maxBallot(before, ballot));
    };
    if (message.kind === 'promise') reveals(message.ballot);
    if (message.kind === 'heartbeatReply' && message.follows) reveals(message.ballot);
    if (message.kind !== 'accepted' || !message.votes) return;
    reveals(message.ballot);
    for (let position = message.through; position > node.applied; position = slot(position - 1)) {
      const at = durable.accepted.get(position);
      // A later acceptance may have overwritten it in the same sync; an earlier one may not stand for it.
      const known = at !== undefined && compareBallots(at, message.ballot) >= 0;
      if (!known && !this.#chosen.has(position))
        this.fail(`replica ${node.id} reports slot ${position} accepted before it is durable`);
    }
  }

  /** Every replica applies the same values, in order, and only what somebody proposed. */
  applies(node: Node, { firstSlot, entries, proposals }: Extract<Effect, { kind: 'chosen' }>): void {
    if (firstSlot !== node.applied + 1)
      this.fail(`replica ${node.id} stands at ${node.applied} and is told to apply ${firstSlot}`);
    entries.forEach((entry, i) => {
      const position = firstSlot + i;
      const value = entry.kind === 'noop' ? '' : valueText(entry);
      const known = this.#chosen.get(position);
      if (known === undefined) this.#chosen.set(position, value);
      else if (known !== value)
        this.fail(`slot ${position} is "${known}", and replica ${node.id} has "${value}"`);
      if (value !== '' && !this.#proposed.has(value))
        this.fail(`"${value}" in slot ${position} was never proposed`);
      if (proposals[i] === undefined) return;
      if (!this.#open.has(`${node.id}/${node.life}/${proposals[i]}/${value}`))
        this.fail(`proposal ${proposals[i]} is not "${value}"`);
      this.#acknowledged = Math.max(this.#acknowledged, position);
    });
  }

  /** A read sees what was acknowledged before it began. */
  answersRead(node: Node, id: number): void {
    const must = this.#reads.get(`${node.id}/${node.life}/${id}`);
    if (must !== undefined && node.applied < must)
      this.fail(
        `replica ${node.id} serves a read at ${node.applied} that began after ${must} was acknowledged`,
      );
  }

  // ---- the whole cluster ----

  /** At one true instant at most one replica may serve reads by itself. */
  leases(nodes: readonly Node[]): void {
    let holder: Node | undefined;
    for (const node of nodes) {
      if (node.core?.leaseHolds(node.clock(this.#now())) !== true) continue;
      if (holder !== undefined) this.fail(`replicas ${holder.id} and ${node.id} hold a lease at once`);
      holder = node;
      if (node.applied < this.#acknowledged)
        this.fail(
          `replica ${node.id} holds a lease at slot ${node.applied}, and slot ${this.#acknowledged} was acknowledged`,
        );
    }
  }

  /** Through here somebody has applied: it is chosen. */
  get chosenThrough(): number {
    return this.#chosen.size;
  }

  /** Some time after the last fault the preferred leader leads, and everybody has everything. */
  liveness(nodes: readonly Node[], serving: readonly ReplicaId[], preferred: ReplicaId): void {
    if (serving.length !== 1) this.fail(`after the faults ${serving.length} replicas serve`);
    const top = Math.max(...nodes.map(({ applied }) => applied));
    for (const node of nodes) {
      if (node.applied < top)
        this.fail(`after the faults replica ${node.id} stands at ${node.applied}, not at ${top}`);
    }
    if (serving[0] !== preferred)
      this.fail(`after the faults replica ${serving[0]} leads, which is not the preferred leader`);
  }
}

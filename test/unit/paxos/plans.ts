import type { Random, ReplicaId } from '../../../src/kernel/index.js';
import {
  type Begun,
  type Configuration,
  majority,
  type Member,
  isFullQuorum,
  type PaxosConfiguration,
  type QuorumDescription,
  quorumSystem,
} from '../../../src/paxos/index.js';
import type { Node } from './node.js';

export const memberOf = ({ id, incarnation }: Node): Member => ({ id, incarnation });

/** It still has the disk that it is a member with. */
const isIntact = ({ id, incarnation }: Member, nodes: readonly Node[]): boolean =>
  nodes[id - 1]!.incarnation === incarnation;

/** The configurations of a world: those that began, and those that somebody has proposed. */
export class Plans {
  #began: Begun[] = [];
  #proposed: Configuration[] = [];

  constructor(readonly first: Configuration) {}

  /** The first as the cores are started with it. */
  get start(): PaxosConfiguration {
    const replicas = this.first.members.map(({ id }) => id);
    return { number: this.first.number, replicas, quorums: majority(replicas) };
  }

  get latest(): Configuration {
    return this.#began.at(-1)?.configuration ?? this.first;
  }

  /** The first that has a vote. */
  preferred(nodes: readonly Node[]): ReplicaId {
    return this.latest.members.find((member) => isIntact(member, nodes))!.id;
  }

  /** Up to five replicas, whichever they are: the caller proposes it. */
  draw(random: Random, nodes: readonly Node[], number: number): Configuration {
    const size = 1 + random.below(Math.min(5, nodes.length));
    const members: Member[] = [];
    while (members.length < size) {
      const member = memberOf(random.pick(nodes));
      if (!members.some(({ id }) => id === member.id)) members.push(member);
    }
    const accept = 1 + random.below(size);
    const quorums: QuorumDescription = random.chance(0.3)
      ? { kind: 'flexible', prepare: size - accept + 1, accept }
      : { kind: 'majority' };
    const next = { number, members, quorums };
    this.#proposed.push(next);
    return next;
  }

  /** Without the disk of this replica every configuration still has a quorum. */
  canMiss(node: Node, nodes: readonly Node[], chosenThrough: number): boolean {
    return this.#needed(chosenThrough).every(({ members, quorums }) => {
      const left = members.filter((member) => member.id !== node.id && isIntact(member, nodes));
      const ids = members.map(({ id }) => id);
      return isFullQuorum(quorumSystem(quorums, ids), new Set(left.map(({ id }) => id)));
    });
  }

  /** True for the first replica that says so. */
  began(begun: Begun): boolean {
    if (begun.configuration.number <= this.latest.number) return false;
    this.#began.push(begun);
    return true;
  }

  /**
   * Whose replicas are needed yet: the newest in which something is chosen, so that a quorum of it holds all that came
   * before, and whatever may follow it.
   */
  #needed(chosenThrough: number): readonly Configuration[] {
    const settled = this.#began.findLast(({ since }) => since < chosenThrough)?.configuration ?? this.first;
    return [settled, ...this.#proposed.filter(({ number }) => number > settled.number)];
  }
}

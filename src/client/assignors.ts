import type { PartitionsByTopic, Subscription } from './consumer-protocol.js';

export interface AssignableMember extends Subscription {
  readonly memberId: string;
  readonly instanceId: string | null;
}

/** Shares partitions out. `partitions`: how many each topic has; a topic that is not in it gets no owner. Pure and deterministic. */
export type Assignor = (
  members: readonly AssignableMember[],
  partitions: ReadonlyMap<string, number>,
) => ReadonlyMap<string, PartitionsByTopic>;

/** A member under its sort key: static members by their names, so that a restart changes nothing. */
const keyOf = ({ instanceId, memberId }: AssignableMember): string => instanceId ?? memberId;
const inOrder = (members: readonly AssignableMember[]): readonly AssignableMember[] =>
  [...members].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : keyOf(a) > keyOf(b) ? 1 : 0));
const topicsOf = (partitions: ReadonlyMap<string, number>): readonly string[] =>
  [...partitions.keys()].sort();

/** Shares being filled. */
class Shares {
  readonly #byMember = new Map<string, Map<string, number[]>>();
  constructor(members: readonly AssignableMember[]) {
    for (const { memberId } of members) this.#byMember.set(memberId, new Map());
  }
  add(memberId: string, topic: string, partition: number): void {
    const topics = this.#byMember.get(memberId)!;
    const list = topics.get(topic);
    if (list === undefined) topics.set(topic, [partition]);
    else list.push(partition);
  }
  done(): ReadonlyMap<string, PartitionsByTopic> {
    for (const topics of this.#byMember.values())
      for (const list of topics.values()) list.sort((a, b) => a - b);
    return this.#byMember;
  }
}

/** Kafka's "range": topic by topic, consecutive partitions; the first members get one more. */
export const range: Assignor = (members, partitions) => {
  const shares = new Shares(members);
  for (const topic of topicsOf(partitions)) {
    const takers = inOrder(members.filter(({ topics }) => topics.includes(topic)));
    if (takers.length === 0) continue;
    const count = partitions.get(topic)!;
    const each = Math.floor(count / takers.length);
    const more = count % takers.length;
    let next = 0;
    takers.forEach(({ memberId }, i) => {
      for (const end = next + each + (i < more ? 1 : 0); next < end; next++)
        shares.add(memberId, topic, next);
    });
  }
  return shares.done();
};

/** Kafka's "roundrobin": all partitions of all topics in turn. */
export const roundRobin: Assignor = (members, partitions) => {
  const shares = new Shares(members);
  const takers = inOrder(members);
  let at = 0;
  for (const topic of topicsOf(partitions)) {
    if (!takers.some(({ topics }) => topics.includes(topic))) continue;
    for (let partition = 0; partition < partitions.get(topic)!; partition++) {
      while (!takers[at % takers.length]!.topics.includes(topic)) at++;
      shares.add(takers[at++ % takers.length]!.memberId, topic, partition);
    }
  }
  return shares.done();
};

interface Load {
  readonly member: AssignableMember;
  readonly held: Set<string>;
}
const nameOf = (topic: string, partition: number): string => `${partition}/${topic}`;
const topicOf = (name: string): string => name.slice(name.indexOf('/') + 1);

/** Who holds what, as the members say: the latest generation counts, and what two claim in the same one is nobody's. */
function claims(members: readonly AssignableMember[]): ReadonlyMap<string, string> {
  const owners = new Map<string, { owner: string | undefined; generation: number }>();
  for (const { memberId, owned, generation } of members)
    for (const [topic, list] of owned)
      for (const partition of list) {
        const name = nameOf(topic, partition);
        const other = owners.get(name);
        if (other === undefined || other.generation < generation)
          owners.set(name, { owner: memberId, generation });
        else if (other.generation === generation) owners.set(name, { owner: undefined, generation });
      }
  return new Map(
    [...owners].flatMap(([name, { owner }]) => (owner === undefined ? [] : [[name, owner] as const])),
  );
}

/** The least loaded of those that subscribe to the topic; the first of equals. */
function leastLoaded(loads: readonly Load[], topic: string): Load | undefined {
  let best: Load | undefined;
  for (const load of loads)
    if (load.member.topics.includes(topic) && (best === undefined || load.held.size < best.held.size))
      best = load;
  return best;
}

/** Moves one partition from a loaded member to one that has at least two fewer. False: there is none to move. */
function moveOne(loads: readonly Load[]): boolean {
  for (const from of [...loads].sort((a, b) => b.held.size - a.held.size)) {
    for (const name of from.held) {
      const to = leastLoaded(loads, topicOf(name));
      if (to === undefined || to.held.size + 2 > from.held.size) continue;
      from.held.delete(name);
      to.held.add(name);
      return true;
    }
  }
  return false;
}

/**
 * Kafka's "cooperative-sticky" (KIP-429): as few moves as a balance needs, in two rounds. In the first a partition that moves
 * goes to nobody; its owner gives it up and joins again, and then it is free. So no partition ever has two owners, and what
 * does not move is never interrupted.
 */
export const cooperativeSticky: Assignor = (members, partitions) => {
  const owners = claims(members);
  const loads: readonly Load[] = inOrder(members).map((member) => ({ member, held: new Set<string>() }));
  const byId = new Map(loads.map((load) => [load.member.memberId, load]));
  const free: string[] = [];
  for (const topic of topicsOf(partitions))
    for (let partition = 0; partition < partitions.get(topic)!; partition++) {
      const name = nameOf(topic, partition);
      const owner = byId.get(owners.get(name) ?? '');
      if (owner?.member.topics.includes(topic) === true) owner.held.add(name);
      else free.push(name);
    }
  for (const name of free) leastLoaded(loads, topicOf(name))?.held.add(name);
  while (moveOne(loads));
  const shares = new Shares(members);
  for (const { member, held } of loads)
    for (const name of held) {
      const owner = owners.get(name);
      if (owner !== undefined && owner !== member.memberId) continue;
      shares.add(member.memberId, topicOf(name), Number.parseInt(name, 10));
    }
  return shares.done();
};

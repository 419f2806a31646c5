/** From what an operator asks for to a plan for the replicas, or the reason against it. */

import { type Address, addressText, codec, type ReplicaId, type ShardId } from '../kernel/index.js';
import type { ReplicaFacts, ReplicaSet } from '../machine/index.js';
import {
  isFullQuorum,
  quorumDescription,
  type QuorumDescription,
  quorumProblem,
  quorumSystem,
} from '../paxos/index.js';
import { quorumBytes } from './membership.js';

/** What is to change, all at once. */
export interface ReplicaChange {
  readonly add?: readonly NewReplica[];
  readonly remove?: readonly ReplicaId[];
  /** These have lost their disks: what runs under their ids now gets their votes. */
  readonly replace?: readonly ReplicaId[];
  /** The same for those that run and follow without a vote by now. */
  readonly promote?: readonly ReplicaId[];
  /** As it is by default, where it can be. */
  readonly quorums?: QuorumDescription | undefined;
  /** In the place of the plan that seals: what is to change of its replicas. */
  readonly instead?: boolean;
  /** The same, with the replicas as they were before that plan; nothing else is given. */
  readonly back?: boolean;
}

export interface NewReplica {
  readonly id: ReplicaId;
  readonly peer: Address;
  readonly kafka: Address;
  readonly http: Address | null;
}

/** What one replica knows of the cluster at the moment. */
export interface PlanFacts {
  /** With the disks that have votes. */
  readonly current: readonly ReplicaFacts[];
  readonly quorums: QuorumDescription;
  /** Those that have a link now (and the one that asks), with the disks that they have. */
  readonly up: ReadonlyMap<ReplicaId, string>;
  /** Where they say that they are reached. Replicas of earlier versions do not. */
  readonly told: ReadonlyMap<ReplicaId, Partial<ReplicaFacts>>;
  /** Those of them that have a vote, and all that is chosen. */
  readonly caughtUp: ReadonlySet<ReplicaId>;
  readonly removed: readonly { readonly id: ReplicaId; readonly incarnation: string }[];
  /** The plan that seals, in whose place the change is to come: `current` and `quorums` are of that. */
  readonly over?: {
    readonly number: number;
    /** What there was before it. */
    readonly before: ReplicaSet;
    /** Shards that nobody leads: no plan can change them. */
    readonly leaderless: readonly ShardId[];
  };
}

export type PlannedChange =
  | { readonly target: ReplicaSet; readonly what: string; readonly notes: readonly string[] }
  | { readonly problem: string };

export function planChange(change: ReplicaChange, facts: PlanFacts): PlannedChange {
  const { add = [], remove = [], promote = [] } = change;
  if (change.back === true && facts.over !== undefined) return goBack(change, facts, facts.over);
  const replace = [...(change.replace ?? []), ...promote];
  const problem = problemOf(change, facts);
  if (problem !== undefined) return { problem };
  const replicas = [
    ...facts.current
      .filter(({ id }) => !remove.includes(id))
      .map((each) => (replace.includes(each.id) ? asFound(each, facts) : each)),
    ...add.map((each) => asFound(each, facts)),
  ].sort((a, b) => a.id - b.id);
  const ids = replicas.map(({ id }) => id);
  if (ids.length === 0) return { problem: 'no replica would be left' };
  const quorums = change.quorums ?? facts.quorums;
  const unfit = quorumProblem(quorums, ids);
  if (unfit !== undefined)
    return {
      problem: `the quorums (${quorums.kind}) do not fit replicas ${ids.join(', ')}: ${unfit}. Give others with the change`,
    };
  const lost = lostCopy({ replicas, quorums }, facts);
  if (lost !== undefined) return { problem: lost };
  const what = [
    ...replace.map((id) => `replace ${id}`),
    ...add.map(({ id }) => `add ${id}`),
    ...remove.map((id) => `remove ${id}`),
    ...(change.quorums === undefined ? [] : [`quorums ${quorumSystem(quorums, ids).name}`]),
    ...insteadOf(facts),
  ].join(', ');
  return {
    target: { replicas, quorums: quorumBytes(quorums) },
    what,
    notes: [...notesOf(replicas, quorums, facts), ...elsewhere(add, replicas)],
  };
}

/** Shards that have changed change once more, to the replicas that there were. */
function goBack(
  { add = [], remove = [], replace = [], promote = [], quorums }: ReplicaChange,
  facts: PlanFacts,
  { before }: NonNullable<PlanFacts['over']>,
): PlannedChange {
  if ([...add, ...remove, ...replace, ...promote].length > 0 || quorums !== undefined)
    return { problem: 'back leads to the replicas that there were before: name nothing else with it' };
  const { replicas } = before;
  const named = new Map(facts.current.map(({ id, incarnation }) => [id, incarnation]));
  const away = replicas
    .filter(({ id, incarnation }) => named.get(id) !== incarnation && facts.up.get(id) !== incarnation)
    .map(({ id }) => id);
  if (away.length > 0)
    return {
      problem: `replica ${away.join(', ')} is not up with the data directory that it had before: start it on that, or lead on to other replicas instead`,
    };
  const description = codec.decode(quorumDescription, before.quorums);
  const lost = lostCopy({ replicas, quorums: description }, facts);
  if (lost !== undefined) return { problem: lost };
  return {
    target: before,
    what: [`back to ${replicas.map(({ id }) => id).join(' ')}`, ...insteadOf(facts)].join(', '),
    notes: notesOf(replicas, description, facts),
  };
}

const insteadOf = ({ over }: PlanFacts): readonly string[] =>
  over === undefined ? [] : [`instead of plan ${over.number}`];

/** What a replica says of itself counts; one that is not up is taken as it is named until it is met. */
const asFound = (named: NewReplica, { up, told }: PlanFacts): ReplicaFacts => ({
  ...named,
  ...told.get(named.id),
  incarnation: up.get(named.id) ?? '',
});

function problemOf(
  { add = [], remove = [], replace: lost = [], promote = [], quorums }: ReplicaChange,
  { current, up, removed }: PlanFacts,
): string | undefined {
  const replace = [...lost, ...promote];
  const named = [...add.map(({ id }) => id), ...remove, ...replace];
  if (named.length === 0 && quorums === undefined) return 'nothing is to change: name a replica';
  const twice = named.find((id, place) => named.indexOf(id) !== place);
  if (twice !== undefined) return `replica ${twice} is named twice`;
  const known = new Map(current.map((each) => [each.id, each]));
  for (const { id } of add) {
    if (known.has(id))
      return `replica ${id} is in the cluster already: give the new one an id that no other has`;
    const disk = up.get(id);
    if (removed.some((each) => each.id === id && each.incarnation === disk))
      return `replica ${id} was removed with the data directory that it has: start it with an empty one`;
  }
  for (const id of [...remove, ...replace])
    if (!known.has(id)) return `replica ${id} is not in the cluster: it has ${[...known.keys()].join(', ')}`;
  for (const id of promote)
    if (!up.has(id)) return `replica ${id} is not up: start it, and it follows; then it can be promoted`;
  for (const id of replace)
    if (up.get(id) === known.get(id)!.incarnation)
      return `replica ${id} is up with the data directory that has its vote: there is nothing to replace`;
  return undefined;
}

/** What would leave nobody who decides, or nobody who has everything. */
function lostCopy(
  { replicas, quorums }: { readonly replicas: readonly ReplicaFacts[]; readonly quorums: QuorumDescription },
  { current, caughtUp, quorums: before, over }: PlanFacts,
): string | undefined {
  const ids = current.map(({ id }) => id);
  if (over !== undefined) {
    if (over.leaderless.length > 0)
      return `shard ${over.leaderless.join(', ')} has no leader: only those that decide there now can change it (quorate replicas plan says who). Bring them back; where that is impossible, quorate recover makes a new cluster of a survivor`;
  } else if (!isFullQuorum(quorumSystem(before, ids), caughtUp)) {
    const away = ids.filter((id) => !caughtUp.has(id));
    return `the cluster has no quorum now (not up with its vote: ${away.join(', ')}): only a quorum can change it. Bring one back; where that is impossible, quorate recover makes a new cluster of a survivor`;
  }
  // A new one is waited for before anything changes; one that is down is not.
  const before2 = new Map(current.map((each) => [each.id, each.incarnation]));
  const willBe = replicas.filter(
    ({ id, incarnation }) => caughtUp.has(id) || before2.get(id) !== incarnation,
  );
  if (
    !isFullQuorum(
      quorumSystem(
        quorums,
        replicas.map(({ id }) => id),
      ),
      new Set(willBe.map(({ id }) => id)),
    )
  ) {
    const down = replicas.filter((each) => !willBe.includes(each)).map(({ id }) => id);
    return `no quorum of the new replicas would be up: replica ${down.join(', ')} is down or lags. Bring it back first, or remove or replace it in the same change`;
  }
  return undefined;
}

function notesOf(
  replicas: readonly ReplicaFacts[],
  quorums: QuorumDescription,
  { current, up }: PlanFacts,
): readonly string[] {
  const notes: string[] = [];
  const waits = replicas.filter(({ incarnation }) => incarnation === '').map(({ id }) => id);
  if (waits.length > 0)
    notes.push(`replica ${waits.join(', ')} has not been reached yet: start it; the plan waits for it`);
  const stay = replicas.filter(({ id }) => current.some((each) => each.id === id));
  if (stay.length === 0) notes.push('no replica stays: clients must know an address of a new one');
  const down = replicas
    .filter(({ id, incarnation }) => incarnation !== '' && !up.has(id))
    .map(({ id }) => id);
  if (down.length > 0) notes.push(`replica ${down.join(', ')} is down, and counts as lost until it is back`);
  if (replicas.length === 2 && quorums.kind === 'majority')
    notes.push('with two replicas no failure is survived');
  return notes;
}

/** Replicas that say of themselves other addresses than the operator. */
const elsewhere = (named: readonly NewReplica[], replicas: readonly ReplicaFacts[]): readonly string[] =>
  named.flatMap(({ id, peer }) => {
    const told = replicas.find((each) => each.id === id)!.peer;
    if (addressText(told) === addressText(peer)) return [];
    return `replica ${id} says that the others reach it at ${addressText(told)}: that counts, and not ${addressText(peer)}`;
  });

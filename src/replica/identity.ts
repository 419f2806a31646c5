import { assert } from '../kernel/index.js';
import { quorumProblem } from '../paxos/index.js';
import type { ReplicaFacts } from '../machine/index.js';
import { disksOf, numberOf } from './membership.js';
import type { DiskIdentity } from './ports.js';

const REPLICA_IDS = 2 ** 31 - 2 ** 20;
const SHARDS_MAX = 0xffff;

/**
 * What is wrong with an identity, with the name of the field; undefined when nothing is. Asked before it is written and
 * after it is read.
 */
export function identityProblem(identity: DiskIdentity): string | undefined {
  const {
    clusterId,
    replicaId,
    shards,
    incarnation,
    formedWith,
    joined = false,
    founded,
    membership,
    agreement,
    earlierLeaseMs,
    restoredFrom,
    positions,
    levels,
    level,
  } = identity;
  if (!isName(clusterId)) return `clusterId is ${JSON.stringify(clusterId)}, not a name`;
  if (!isWhole(replicaId, 0, REPLICA_IDS - 1)) return `replicaId is ${String(replicaId)}, not an id`;
  if (!isWhole(shards, 1, SHARDS_MAX)) return `shards is ${String(shards)}, not 1..${SHARDS_MAX}`;
  if (!isName(incarnation)) return `incarnation is ${JSON.stringify(incarnation)}, not a name`;
  if (!isRecord(formedWith)) return 'formedWith is missing';
  for (const [id, other] of Object.entries(formedWith))
    if (!isName(other)) return `formedWith.${id} is ${JSON.stringify(other)}, not an incarnation`;
  if (Object.keys(formedWith).length > 0 && formedWith[replicaId] === undefined && !joined)
    return `formedWith lacks this replica, ${replicaId}`;
  const unfit = membershipProblem({ founded, membership });
  if (unfit !== undefined) return unfit;
  for (const [name, value] of Object.entries(agreement ?? {}))
    if (typeof value !== 'string') return `agreement.${name} is ${JSON.stringify(value)}, not text`;
  if (earlierLeaseMs !== undefined && !(earlierLeaseMs > 0))
    return `earlierLeaseMs is ${String(earlierLeaseMs)}, not above 0`;
  if (restoredFrom !== undefined && !isName(restoredFrom))
    return `restoredFrom is ${JSON.stringify(restoredFrom)}, not a name`;
  for (const [id, position] of Object.entries(positions ?? {})) {
    if (disksOf(identity)[id] === undefined)
      return `positions.${id} is of a replica that ${membership === undefined ? 'formedWith lacks' : 'has no vote'}`;
    if (!isWhole(position, 0, Number.MAX_SAFE_INTEGER)) return `positions.${id} is ${String(position)}`;
  }
  for (const [id, known] of Object.entries(levels ?? {}))
    if (!isWhole(known, 1, Number.MAX_SAFE_INTEGER)) return `levels.${id} is ${String(known)}`;
  if (level !== undefined && !isWhole(level, 1, Number.MAX_SAFE_INTEGER)) return `level is ${String(level)}`;
  return undefined;
}

/** Of what the disk says of later changes of the replicas. */
function membershipProblem({
  founded,
  membership,
}: {
  readonly founded: DiskIdentity['founded'] | undefined;
  readonly membership: DiskIdentity['membership'] | undefined;
}): string | undefined {
  if (founded !== undefined && !isRecord(founded)) return `founded is ${JSON.stringify(founded)}`;
  if (membership === undefined) return undefined;
  const { number, disks, replicas, quorums } = membership;
  if (!isWhole(number, 1, Number.MAX_SAFE_INTEGER)) return `membership.number is ${String(number)}`;
  if (!isRecord(disks) || !Array.isArray(replicas) || !isRecord(quorums)) return 'membership lacks a part';
  for (const { id, incarnation, peer, kafka } of replicas as readonly ReplicaFacts[])
    if (!isName(incarnation) || disks[id] !== incarnation || !isRecord(peer) || !isRecord(kafka))
      return `membership.replicas has an unfit replica ${String(id)}`;
  return quorumProblem(
    quorums,
    (replicas as readonly ReplicaFacts[]).map(({ id }) => id),
  );
}

const isName = (value: unknown): boolean => typeof value === 'string' && value !== '';
const isRecord = (value: unknown): boolean => typeof value === 'object' && value !== null;
const isWhole = (value: unknown, min: number, max: number): boolean =>
  Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max;

/** What never changes on a disk, and what never goes down. */
export function assertSuccessor(before: DiskIdentity, after: DiskIdentity): void {
  for (const field of ['clusterId', 'replicaId', 'shards', 'restoredFrom'] as const)
    assert(
      before[field] === after[field],
      `identity.${field} stays ${before[field]}, and is not ${after[field]}`,
    );
  for (const [id, incarnation] of Object.entries(before.formedWith))
    assert(
      after.formedWith[id] === incarnation,
      `identity.formedWith.${id} stays ${incarnation}, and is not ${after.formedWith[id]}`,
    );
  assert(
    numberOf(after) >= numberOf(before),
    `identity.membership.number grows from ${numberOf(before)}, not to ${numberOf(after)}`,
  );
  assert(
    (after.level ?? 0) >= (before.level ?? 0),
    `identity.level stays ${before.level}, not ${after.level}`,
  );
  const [disks, nextDisks] = [disksOf(before), disksOf(after)];
  for (const [id, position] of Object.entries(before.positions ?? {})) {
    // Another disk begins again.
    if (disks[id] !== nextDisks[id]) continue;
    const next = after.positions?.[id] ?? 0;
    assert(next >= position, `identity.positions.${id} grows from ${position}, not to ${next}`);
  }
}

import type { ReplicaId, ShardId } from '../kernel/index.js';
import { isFullQuorum, quorumSystem, type QuorumSystem } from '../paxos/index.js';
import { disksOf, idsOf, numberOf } from './membership.js';
import type { DiskIdentity, Hello } from './ports.js';

/**
 * May this replica vote? A disk that was lost took promises with it, so a replica that comes back with another disk must not
 * vote under the old name (Paxos Made Live, 5.1). Disks are told apart by their incarnation:
 * - a cluster forms once, when every configured replica has met every other with the disk it will keep;
 * - after a restart, a quorum of each kind must be met before a vote: its peers know whether the disk is an older copy, that has
 *   forgotten what it promised (to a prepare quorum) or accepted (in an accept quorum), see disk-positions.ts;
 * - from then on each remembers all incarnations, and a replica whose disk is another one is told so by its peers;
 * - which disks vote, and by which quorums, changes with the replicas of the cluster: of those who remember, the one counts that
 *   knows of the most changes.
 */
export type Standing =
  /** Too few replicas have been met yet (all for a new cluster, else a quorum): nothing is promised until then. */
  | { readonly kind: 'forming'; readonly missing: readonly ReplicaId[] }
  | { readonly kind: 'voter'; readonly formedWith: Readonly<Record<string, string>> }
  /** `reportedBy` remembers that another disk of this replica has the vote; `expected` is undefined where none has. */
  | {
      readonly kind: 'learner';
      readonly reportedBy: ReplicaId;
      readonly expected: string | undefined;
    };

type Quorums = Pick<QuorumSystem, 'isPrepareQuorum' | 'isAcceptQuorum'>;

export function standing(
  self: ReplicaId,
  identity: DiskIdentity,
  replicas: readonly ReplicaId[],
  quorums: Quorums,
  met: ReadonlyMap<ReplicaId, Pick<Hello, 'incarnation' | 'formedWith' | 'restoredFrom' | 'membership'>>,
): Standing {
  const own = disksOf(identity);
  for (const [reportedBy, hello] of met) {
    if (numberOf(hello) < numberOf(identity)) continue;
    const theirs = disksOf(hello);
    const expected = theirs[self];
    const formed = Object.keys(theirs).length > 0;
    const knows = expected !== undefined || own[self] === undefined || numberOf(hello) > numberOf(identity);
    if (formed && knows && expected !== identity.incarnation)
      return { kind: 'learner', reportedBy, expected };
  }
  const remembered = own[self];
  if (Object.keys(own).length > 0) {
    if (remembered !== identity.incarnation)
      return { kind: 'learner', reportedBy: self, expected: remembered };
    const now = decidersNow(identity, { replicas, quorums }, met.values());
    return isFullQuorum(now.quorums, new Set([self, ...met.keys()]))
      ? { kind: 'voter', formedWith: identity.formedWith }
      : { kind: 'forming', missing: now.replicas.filter((id) => id !== self && !met.has(id)) };
  }
  const missing = replicas.filter((id) => id !== self && !met.has(id));
  // What a restored disk calls chosen, the others must hold, too: a quorum of disks without it would choose anew.
  const foreign = replicas.filter((id) => met.has(id) && met.get(id)!.restoredFrom !== identity.restoredFrom);
  if (missing.length + foreign.length > 0) return { kind: 'forming', missing: [...missing, ...foreign] };
  const formedWith: Record<string, string> = { [self]: identity.incarnation };
  for (const [id, hello] of met) formedWith[id] = hello.incarnation;
  return { kind: 'voter', formedWith };
}

interface Deciders {
  readonly replicas: readonly ReplicaId[];
  readonly quorums: Quorums;
}

/** As who knows of the most changes has them: every shard decides so, and those of before may all be gone. */
function decidersNow(
  identity: DiskIdentity,
  own: Deciders,
  met: Iterable<Pick<Hello, 'membership' | 'formedWith'>>,
): Deciders {
  let newest: Pick<Hello, 'membership' | 'formedWith'> = identity;
  for (const hello of met) if (numberOf(hello) > numberOf(newest)) newest = hello;
  const { membership } = newest;
  if (newest === identity || membership === undefined) return own;
  const replicas = idsOf(membership.disks);
  const all = (ids: ReadonlySet<ReplicaId>): boolean => replicas.every((id) => ids.has(id));
  return {
    replicas,
    // An earlier version does not say how they decide.
    quorums:
      membership.quorums === undefined
        ? { isPrepareQuorum: all, isAcceptQuorum: all }
        : quorumSystem(membership.quorums, replicas),
  };
}

/**
 * Replica s mod n is the preferred leader of shard s, and the replica after it comes next: leaders are spread over the
 * replicas, and leadership returns to the preferred leader after a failure. The highest number is preferred.
 */
export function preferredLeaderPriority(
  replicas: readonly ReplicaId[],
  self: ReplicaId,
  shard: ShardId,
): number {
  const index = replicas.indexOf(self);
  if (index < 0) return 0;
  const distance = (((index - shard) % replicas.length) + replicas.length) % replicas.length;
  return replicas.length - distance;
}

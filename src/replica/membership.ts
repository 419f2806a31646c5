/** Which disks have a vote, by what a disk or a peer says. */

import { codec, replicaId, type ReplicaId } from '../kernel/index.js';
import type { ReplicaFacts } from '../machine/index.js';
import { quorumDescription, type QuorumDescription } from '../paxos/index.js';
import type { Hello, Membership } from './ports.js';

/** What a disk or a Hello says of who decides. */
type Says = {
  readonly formedWith: Readonly<Record<string, string>>;
  readonly membership?: Membership;
};

/** How many changes of the replicas it knows of. */
export const numberOf = ({ membership }: Says): number => membership?.number ?? 0;
/** The disks that have a vote, as far as it knows. Empty: it belongs to no cluster yet. By replica id. */
export const disksOf = ({ membership, formedWith }: Says): Readonly<Record<string, string>> =>
  membership?.disks ?? formedWith;
export const idsOf = (disks: Readonly<Record<string, string>>): readonly ReplicaId[] =>
  Object.keys(disks).map((id) => replicaId(Number(id)));
/** It belongs to a cluster, with a vote. */
export const isMember = (
  of: Says & { readonly replicaId: ReplicaId; readonly incarnation: string },
): boolean => disksOf(of)[of.replicaId] === of.incarnation;

/** Where a replica says that it is reached. */
export const toldBy = ({ peer, kafka, http }: Hello): Partial<ReplicaFacts> => ({
  ...(peer && { peer, http: http ?? null }),
  kafka,
});

/** Whether what a peer sent describes a quorum system, of a kind that is known here. */
export function isQuorums(value: unknown): value is QuorumDescription {
  try {
    return quorumBytes(value as QuorumDescription).length > 0;
  } catch {
    return false;
  }
}

/** As shard 0 holds it. */
export const quorumBytes = (quorums: QuorumDescription): Uint8Array =>
  codec.encode(quorumDescription, quorums);

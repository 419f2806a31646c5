import { codec, type Codec, type ReplicaId, replicaId } from '../kernel/index.js';

/** A proposal number, totally ordered: round first, then priority, then replica. Unique to the replica that made it. */
export interface Ballot {
  readonly round: number;
  readonly priority: number;
  readonly replica: ReplicaId;
}

/** Below every ballot that a replica can make. */
export const BALLOT_ZERO: Ballot = { round: 0, priority: 0, replica: replicaId(-1) };

/** Negative, zero or positive, as for Array.sort. Zero exactly when the ballots are equal. */
export function compareBallots(a: Ballot, b: Ballot): number {
  return a.round - b.round || a.priority - b.priority || a.replica - b.replica;
}

export const ballotsEqual = (a: Ballot, b: Ballot): boolean => compareBallots(a, b) === 0;
export const maxBallot = (a: Ballot, b: Ballot): Ballot => (compareBallots(a, b) >= 0 ? a : b);
export const formatBallot = (b: Ballot): string => `${b.round}.${b.priority}@${b.replica}`;

export const ballotCodec: Codec<Ballot> = codec.struct<Ballot>({
  round: codec.uint,
  priority: codec.int,
  replica: codec.branded<ReplicaId, number>()(codec.int),
});

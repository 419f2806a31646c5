import { type Codec, type ReplicaId, replicaId } from '../kernel/index.js';

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

/** By hand, since every message has one: a struct of the schema takes three times as long to read. */
export const ballotCodec: Codec<Ballot> = {
  write: (w, { round, priority, replica }) => {
    w.varint(round);
    w.zigzag(priority);
    w.zigzag(replica);
  },
  read: (r) => ({ round: r.varint(), priority: r.zigzag(), replica: replicaId(r.zigzag()) }),
};

import { type MonotonicMs, NO_SLOT, type ReplicaId, type Slot } from '../kernel/index.js';
import { type QuorumSystem, reachedBy } from './quorum.js';

/** What a replica knows of a peer. Soft: forgotten at a restart. */
export interface Peer {
  readonly id: ReplicaId;
  heardAt: MonotonicMs | undefined;
  /** Since when it has been heard without a break of an election timeout. Undefined: never, or its process has ended since. */
  steadySince: MonotonicMs | undefined;
  /** When it last answered a heartbeat of ours: the link works both ways, and what follows is fresh. */
  answeredAt: MonotonicMs | undefined;
  content: boolean;
  votes: boolean;
  electable: boolean;
  priority: number;
  chosenThrough: Slot;
  /** While leading: it has durably accepted everything of our ballot through here. */
  matched: Slot;
  /** While leading: the next slot to send. */
  next: Slot;
  /** Bytes sent since the last sign of progress, so that a silent peer is not flooded. */
  inFlightBytes: number;
  /**
   * Since when it owes progress: when its `matched` last grew, or something was sent while nothing was under way. Undefined: what was
   * under way is lost, and its next answer says from where on.
   */
  progressAt: MonotonicMs | undefined;
  /** How often we sent again since it last made progress. */
  resends: number;
  /** When we last sent again what was lost. */
  resentAt: MonotonicMs;
}

export function newPeer(id: ReplicaId, now: MonotonicMs): Peer {
  return {
    id,
    heardAt: undefined,
    steadySince: undefined,
    answeredAt: undefined,
    content: false,
    votes: true,
    electable: false,
    priority: 0,
    chosenThrough: NO_SLOT,
    matched: NO_SLOT,
    next: 1 as Slot,
    inFlightBytes: 0,
    progressAt: now,
    resends: 0,
    resentAt: now,
  };
}

/** A peer in the next configuration: what it said of its vote, its ballot and its leader was said in the last one. */
export const seenBefore = ({ id, heardAt, steadySince, chosenThrough }: Peer, now: MonotonicMs): Peer => ({
  ...newPeer(id, now),
  ...{ heardAt, steadySince, chosenThrough },
});

/** The highest slot that an accept quorum has accepted through; NO_SLOT when that is not above `above`. */
export const acceptedByQuorum = (
  marks: ReadonlyMap<ReplicaId, Slot>,
  quorums: Pick<QuorumSystem, 'isAcceptQuorum'>,
  above: Slot = NO_SLOT,
): Slot => reachedBy(quorums.isAcceptQuorum, marks, above) ?? NO_SLOT;

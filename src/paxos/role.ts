/** What only one role needs. A change of role replaces the whole object, so nothing of the former role survives. */

import { type MonotonicMs, type ReplicaId, type Slot } from '../kernel/index.js';
import type { Campaign } from './campaign.js';
import type { Entry } from './entry.js';
import type { Peer } from './progress.js';
import type { Rounds } from './rounds.js';
import type { Silence } from './silence.js';
import type { ProposalId } from './types.js';

export interface Follower {
  readonly kind: 'follower';
  leader: ReplicaId | undefined;
  /** After a failed campaign: no other one before then. */
  backOffUntil: MonotonicMs;
}

export interface Candidate {
  readonly kind: 'candidate';
  readonly campaign: Campaign;
}

export interface Leader {
  readonly kind: 'leader';
  readonly since: MonotonicMs;
  /** Its heartbeat rounds, with the lease and the reads that depend on them. */
  readonly rounds: Rounds;
  /** Reads wait for a round that is not sent yet. */
  roundWanted: boolean;
  /** How long no accept quorum has answered a round. */
  readonly quorumSilence: Silence;
  /** The no-op that it proposed behind the open suffix ... */
  readonly noopSlot: Slot;
  /** ... has been chosen and applied here: it may serve. */
  serving: boolean;
  queue: Queued[];
  queueBytes: number;
  /** Bytes of our own proposals that have a slot and are not chosen yet ... */
  inFlightBytes: number;
  /** ... and these proposals by slot. */
  readonly ours: Map<Slot, ProposalId>;
  /** How much is proposed. */
  readonly load: Load;
  /** The peer to which leadership is being handed over: no new proposals until that has ended. */
  transferee: Transferee | undefined;
}

/** Proposals since `since`, and those a second before. */
interface Load {
  since: MonotonicMs;
  count: number;
  perSecond: number;
}

/** A proposal that has no slot yet. */
export interface Queued {
  readonly id: ProposalId;
  readonly entry: Entry;
}

export interface Transferee {
  readonly peer: Peer;
  readonly since: MonotonicMs;
}

export type Role = Follower | Candidate | Leader;
export type RoleOf<K extends Role['kind']> = Extract<Role, { kind: K }>;

/** What a candidate gathers in phase 1, and which value wins a slot. */

import { type MonotonicMs, type ReplicaId, type Slot, slot } from '../kernel/index.js';
import { type Ballot, compareBallots } from './ballot.js';
import type { AcceptedEntry } from './entry.js';
import type { MessageOf } from './messages.js';

/** What a candidate has gathered so far. */
export interface Campaign {
  readonly ballot: Ballot;
  readonly consent: Ballot | undefined;
  readonly fromSlot: Slot;
  readonly startedAt: MonotonicMs;
  askedAt: MonotonicMs;
  /** Who has reported everything; itself once its own promise is durable. */
  readonly promised: Set<ReplicaId>;
  /** Where the next chunk of a promise that is not complete begins. */
  readonly asking: Map<ReplicaId, Slot>;
  /** The highest accepted value of every slot, by slot. */
  readonly values: Map<Slot, AcceptedEntry>;
  /** Everything through here was shown as chosen, without a break, and so may be learned on winning. */
  chosenThrough: Slot;
}

/** Paxos Made Simple, 2.2: the value of the highest ballot wins. A value that is known to be chosen beats any. */
export function consider(
  campaign: Campaign,
  position: Slot,
  accepted: AcceptedEntry,
  chosenThrough: Slot,
): void {
  if (position < campaign.fromSlot) return;
  const present = campaign.values.get(position);
  const chosen = position <= chosenThrough;
  const ballot = chosen ? { ...accepted.ballot, round: Number.MAX_SAFE_INTEGER } : accepted.ballot;
  if (present === undefined || compareBallots(ballot, present.ballot) > 0)
    campaign.values.set(position, { ballot, entry: accepted.entry });
}

/**
 * What a chunk of a promise shows as chosen. No more: of slots in earlier chunks the candidate may hold another value
 * than the one that the replier has learned since, from a leader that the candidate has not heard of.
 */
export function noteChosen(campaign: Campaign, message: MessageOf<'promise'>): void {
  const { firstSlot, accepted, chosenThrough } = message;
  if (firstSlot > campaign.chosenThrough + 1) return;
  const shown = Math.min(chosenThrough, firstSlot + accepted.length - 1);
  campaign.chosenThrough = slot(Math.max(campaign.chosenThrough, shown));
}

/** The acceptor: phases 1b and 2b. Whatever it says hangs on the persist effect that makes it true. */

import { assert, nextSlot, type Slot, slot } from '../kernel/index.js';
import { type Ballot, ballotsEqual, compareBallots, formatBallot, maxBallot } from './ballot.js';
import { learn } from './learner.js';
import type { MessageBody, Received } from './messages.js';
import type { Peer } from './progress.js';
import { leaseStands } from './reads.js';
import type { State } from './state.js';
import { asFollower } from './step-down.js';
import type { HardRecord, PersistId, Send } from './types.js';

/** Phase 1b. While a lease grant to a leader lasts, and that leader has not consented, other candidates get no answer. */
export function onPrepare(s: State, { peer, message, now }: Received<'prepare'>): void {
  const { ballot, fromSlot, consent } = message;
  s.highestSeen = maxBallot(s.highestSeen, ballot);
  if (!s.member) return;
  if (compareBallots(ballot, s.hard.promised) < 0)
    return s.send(peer.id, { kind: 'rejected', ballot: s.hard.promised });
  if (ballotsEqual(ballot, s.hard.promised)) {
    // Said before: again, or its next chunk. Only what is on disk may be said.
    if (ballotsEqual(ballot, s.durablePromise)) s.send(peer.id, promiseChunk(s, ballot, fromSlot));
    return;
  }
  const released =
    consent !== undefined && s.leaseGrantBallot !== undefined && ballotsEqual(consent, s.leaseGrantBallot);
  if (!released && (now < s.leaseGrantUntil || leaseStands(s, now))) return;
  s.setLeader(asFollower(s, now), undefined);
  // Give the candidate the time of an election before becoming one.
  s.awaitLeader(now);
  raisePromise(s, ballot, [{ to: peer.id, message: s.stamped(promiseChunk(s, ballot, fromSlot)) }]);
  s.forgetMatched();
}

/** Raises the promise, durably, and then sends what says so. */
export function raisePromise(s: State, ballot: Ballot, then: readonly Send[]): void {
  assert(
    compareBallots(ballot, s.hard.promised) > 0,
    `a promise grows: ${formatBallot(ballot)} > ${formatBallot(s.hard.promised)}`,
  );
  s.hard.promised = ballot;
  s.persist([{ kind: 'promised', ballot }], then);
}

/** What we hold from a slot on, as much as fits: asked again for the rest. */
function promiseChunk(s: State, ballot: Ballot, fromSlot: Slot): MessageBody {
  const firstSlot = slot(Math.max(fromSlot, s.hard.log.firstSlot));
  const accepted = s.hard.log.slice(firstSlot, s.hard.log.lastSlot, s.options.chunkBytesMax);
  const last = firstSlot + accepted.length > s.hard.log.lastSlot;
  return {
    kind: 'promise',
    ballot,
    firstSlot,
    accepted,
    last,
    chosenThrough: s.chosenThrough,
    logStart: s.hard.log.firstSlot,
  };
}

/** Phase 2b. Values are taken only where they continue what is held of this ballot, so that one number says it all. */
export function onAccept(s: State, { peer, message, now }: Received<'accept'>): void {
  const { ballot, firstSlot, entries } = message;
  if (compareBallots(ballot, s.hard.promised) < 0)
    return s.send(peer.id, { kind: 'rejected', ballot: s.hard.promised });
  s.highestSeen = maxBallot(s.highestSeen, ballot);
  const follower = asFollower(s, now);
  // Accepting raises the promise: the accepted record implies it, and where nothing is accepted it needs one of its own.
  const raises = !ballotsEqual(ballot, s.hard.promised);
  if (raises) {
    s.hard.promised = ballot;
    s.forgetMatched();
  }
  s.hearLeader(follower, peer.id, now);
  const promise: HardRecord[] = raises ? [{ kind: 'promised', ballot }] : [];
  if (firstSlot > nextSlot(s.matched)) {
    // Values before it are missing: say from where. What we hold of older ballots there does not count.
    const gap = acceptedReply(s, peer, s.position(), true);
    if (raises || !ballotsEqual(s.durablePromise, ballot)) s.persist(promise, [gap]);
    else s.effects.push({ kind: 'send', ...gap });
    return;
  }
  // Of this ballot, or chosen: taken already.
  const skip = Math.max(0, s.matched + 1 - firstSlot);
  const fresh = entries.slice(skip);
  const from = slot(firstSlot + skip);
  fresh.forEach((entry, i) => s.hard.log.put(slot(from + i), { ballot, entry }));
  s.matched = slot(Math.max(s.matched, firstSlot + entries.length - 1));
  const records: HardRecord[] =
    fresh.length > 0 ? [{ kind: 'accepted', ballot, firstSlot: from, entries: fresh }] : promise;
  learn(s, slot(Math.min(message.chosenThrough, s.matched)));
  s.persist(records, [acceptedReply(s, peer, s.matched, false)], s.matched);
}

function acceptedReply(s: State, to: Peer, through: Slot, gap: boolean): Send {
  const { votes } = s;
  return {
    to: to.id,
    message: s.stamped({ kind: 'accepted', ballot: s.hard.promised, through, gap, votes }),
  };
}

/** A write and all before it are on disk: what they hold may be told from now on. */
export function noteDurable(s: State, id: PersistId): void {
  for (const [done, { promise, through, ballot }] of s.pending) {
    if (done > id) break;
    s.pending.delete(done);
    s.durablePromise = maxBallot(s.durablePromise, promise);
    // An acceptance of an earlier ballot says nothing about this one.
    if (ballot !== undefined && ballotsEqual(ballot, s.hard.promised))
      s.durableThrough = slot(Math.max(s.durableThrough, through));
  }
}

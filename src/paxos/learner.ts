/** The learner: what is chosen, told to the machine in order; catching up from peers and from snapshots. */

import { type MonotonicMs, nextSlot, type Slot, slot } from '../kernel/index.js';
import { type Ballot, ballotsEqual } from './ballot.js';
import { type Begun, sameConfiguration } from './configuration.js';
import { hears } from './connectivity.js';
import type { AcceptedEntry, Entry } from './entry.js';
import { entryBytes } from './log.js';
import type { MessageOf, Received } from './messages.js';
import type { Peer } from './progress.js';
import type { Leader } from './role.js';
import type { State } from './state.js';
import { leaveConfiguration } from './step-down.js';
import type { ProposalId } from './types.js';

/** Everything through here is chosen, and our log holds it. */
export function learn(s: State, through: Slot): void {
  const known = Math.min(through, s.hard.log.lastSlot);
  if (known <= s.chosenThrough) return;
  s.chosenThrough = slot(known);
  s.matched = slot(Math.max(s.matched, known));
  announceChosen(s);
}

/** Tells the machine of the slots that are chosen and that it was not told of. */
export function announceChosen(s: State): void {
  if (s.announcedThrough >= s.chosenThrough) return;
  const firstSlot = nextSlot(s.announcedThrough);
  const entries: Entry[] = [];
  const proposals: (ProposalId | undefined)[] = [];
  for (let position = firstSlot; position <= s.chosenThrough; position = nextSlot(position)) {
    const { entry } = s.hard.log.get(position);
    entries.push(entry);
    proposals.push(s.role.kind === 'leader' ? settleOwn(s.role, position, entry) : undefined);
  }
  s.announcedThrough = s.chosenThrough;
  s.effects.push({ kind: 'chosen', firstSlot, entries, proposals });
}

/** Our own proposal in a slot, if it is one, leaves the window. */
function settleOwn(leader: Leader, position: Slot, entry: Entry): ProposalId | undefined {
  const ours = leader.ours.get(position);
  if (ours !== undefined) {
    leader.ours.delete(position);
    leader.inFlightBytes -= entryBytes(entry);
  }
  return ours;
}

/**
 * Asks a peer that knows of more chosen slots, one peer at a time, unless our leader is bringing them anyway. An answer
 * that takes longer than an election timeout counts as lost.
 */
export function maybeCatchUp(s: State, peer: Peer, now: MonotonicMs): void {
  // A leader streams to its followers by itself.
  if (s.role.kind === 'leader' || peer.chosenThrough <= s.chosenThrough) return;
  if (s.diskStallsFrom !== undefined) return;
  const led = s.leader() !== undefined && now < s.leaderlessFrom;
  if (led && s.matched >= peer.chosenThrough) return;
  if (!answerUnderWay(s, now)) askCatchUp(s, peer, now);
}

export function answerUnderWay(s: State, now: MonotonicMs): boolean {
  if (s.catchUp === undefined) return false;
  const asked = s.peers.get(s.catchUp.from) ?? s.outsiders.get(s.catchUp.from);
  const lost = now - s.catchUp.askedAt >= s.options.electionTimeoutMs;
  return asked !== undefined && hears(s, asked, now) && !lost;
}

export function askCatchUp(s: State, peer: Peer, now: MonotonicMs): void {
  s.catchUp = { from: peer.id, askedAt: now };
  s.send(peer.id, { kind: 'catchUp', fromSlot: nextSlot(s.chosenThrough) });
}

/** One chunk of chosen entries, or a snapshot where they are trimmed. */
export function onCatchUp(s: State, { peer, message: { fromSlot } }: Received<'catchUp'>): void {
  if (fromSlot > s.chosenThrough) return;
  if (fromSlot < s.hard.log.firstSlot) {
    s.effects.push({ kind: 'snapshotNeeded', to: peer.id });
    return;
  }
  const entries = s.hard.log.slice(fromSlot, s.chosenThrough, s.options.chunkBytesMax);
  s.send(peer.id, {
    kind: 'chosenEntries',
    firstSlot: fromSlot,
    entries,
    chosenThrough: s.chosenThrough,
  });
}

/** Chosen values need no promise and no sync: a replica that loses them can learn them again. */
export function onChosenEntries(s: State, { peer, message, now }: Received<'chosenEntries'>): void {
  if (s.catchUp?.from === peer.id) s.catchUp = undefined;
  peer.chosenThrough = slot(Math.max(peer.chosenThrough, message.chosenThrough));
  takeChosen(s, message);
  maybeCatchUp(s, peer, now);
}

function takeChosen(s: State, message: MessageOf<'chosenEntries'>): void {
  const { firstSlot, entries, chosenThrough } = message;
  if (firstSlot > s.chosenThrough + 1) return;
  const skip = s.chosenThrough + 1 - firstSlot;
  const seal = entries.findIndex(({ entry }, i) => i >= skip && entry.kind === 'seal');
  // What is behind a seal belongs to the next configuration, and is asked for again from there.
  const fresh = entries.slice(skip, seal < 0 ? entries.length : seal + 1);
  checkAgreement(s, firstSlot, entries.slice(0, skip));
  if (fresh.length === 0) return;
  const from = nextSlot(s.chosenThrough);
  fresh.forEach((accepted, i) => s.hard.log.put(slot(from + i), accepted));
  for (const run of runs(from, fresh)) s.write([{ kind: 'accepted', ...run }]);
  const through = slot(Math.min(from + fresh.length - 1, chosenThrough));
  s.matched = slot(Math.max(s.matched, through));
  learn(s, through);
}

/** What a peer calls chosen and what we do must be the same. */
function checkAgreement(s: State, firstSlot: Slot, entries: readonly AcceptedEntry[]): void {
  entries.forEach(({ entry }, i) => {
    const own = s.hard.log.at(slot(firstSlot + i))?.entry;
    if (own === undefined || sameEntry(own, entry)) return;
    s.effects.push({ kind: 'fatal', reason: `two values were chosen for slot ${firstSlot + i}` });
  });
}

/** A snapshot covers the log through a slot; a few entries stay for peers that lag a little. */
export function trim(s: State, through: Slot, keepFrom: Slot | undefined): void {
  const covered = Math.min(through, s.announcedThrough);
  const from = Math.min(covered + 1 - s.options.retainedEntries, keepFrom ?? Infinity);
  s.hard.log.trimBefore(slot(Math.max(1, from)));
}

/** The machine has jumped to a snapshot of a peer, which may be in a later configuration. */
export function installed(s: State, through: Slot, begun: Begun | undefined, now: MonotonicMs): void {
  if (through <= s.chosenThrough && through <= s.announcedThrough) return;
  const entered = begun !== undefined && begun.configuration.number > s.configuration.number;
  if (entered) leaveConfiguration(s, now);
  s.chosenThrough = s.hintedThrough = slot(Math.max(s.chosenThrough, through));
  s.announcedThrough = s.appliedThrough = slot(Math.max(s.announcedThrough, through));
  s.matched = slot(Math.max(s.matched, through));
  s.hard.log.trimBefore(nextSlot(through));
  s.catchUp = undefined;
  s.write([{ kind: 'snapshot', through }]);
  if (entered) {
    s.hard.log.continueBehind(through);
    s.enter(begun, now);
    s.write([{ kind: 'configuration', ...begun }]);
  }
  announceChosen(s);
}

/** Runs of equal ballots: a record holds one ballot. */
function runs(from: Slot, accepted: readonly AcceptedEntry[]): readonly Run[] {
  const result: (Run & { readonly entries: Entry[] })[] = [];
  accepted.forEach(({ ballot, entry }, i) => {
    const run = result.at(-1);
    if (run !== undefined && ballotsEqual(run.ballot, ballot)) run.entries.push(entry);
    else result.push({ ballot, firstSlot: slot(from + i), entries: [entry] });
  });
  return result;
}

interface Run {
  readonly ballot: Ballot;
  readonly firstSlot: Slot;
  readonly entries: readonly Entry[];
}

function sameEntry(a: Entry, b: Entry): boolean {
  if (a.kind === 'command' && b.kind === 'command') return Buffer.compare(a.payload, b.payload) === 0;
  if (a.kind === 'seal' && b.kind === 'seal') return sameConfiguration(a.next, b.next);
  return a.kind === b.kind;
}

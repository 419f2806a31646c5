/** What a leader sends its followers: Accepts in chunks, within what may be on its way to each. */

import { type MonotonicMs, nextSlot, type Slot, slot } from '../kernel/index.js';
import type { Entry } from './entry.js';
import { entriesBytes } from './log.js';
import type { Peer } from './progress.js';
import type { State } from './state.js';

/** The most that may be on its way to one peer without a sign of it. In chunks. */
const PEER_CHUNKS_IN_FLIGHT = 8;

/** To all peers that have everything before it: the same message object, so that it is encoded once. */
export function broadcastAccept(
  s: State,
  firstSlot: Slot,
  entries: readonly Entry[],
  now: MonotonicMs,
): void {
  const bytes = entriesBytes(entries);
  if (bytes > s.options.chunkBytesMax) {
    for (const peer of s.peers.values()) stream(s, peer, now);
    return;
  }
  const message = s.stamped({
    kind: 'accept',
    ballot: s.hard.promised,
    firstSlot,
    entries,
    chosenThrough: s.chosenThrough,
  });
  for (const peer of s.peers.values()) {
    if (peer.next !== firstSlot || !roomFor(s, peer)) {
      stream(s, peer, now);
      continue;
    }
    peer.next = slot(firstSlot + entries.length);
    underWay(peer, bytes, now);
    s.effects.push({ kind: 'send', to: peer.id, message });
  }
}

/** Sends a peer what it is due, in chunks, within what may be on its way. */
export function stream(s: State, peer: Peer, now: MonotonicMs): void {
  if (peer.next < s.hard.log.firstSlot) {
    s.effects.push({ kind: 'snapshotNeeded', to: peer.id });
    return;
  }
  while (peer.next <= s.hard.log.lastSlot && roomFor(s, peer)) {
    const chunk = s.hard.log.slice(peer.next, s.hard.log.lastSlot, s.options.chunkBytesMax);
    const entries = chunk.map(({ entry }) => entry);
    underWay(peer, entriesBytes(entries), now);
    s.send(peer.id, {
      kind: 'accept',
      ballot: s.hard.promised,
      firstSlot: peer.next,
      entries,
      chosenThrough: s.chosenThrough,
    });
    peer.next = slot(peer.next + entries.length);
  }
}

/** From a slot on, as if nothing of it had been sent. */
export function sendAgain(s: State, peer: Peer, from: Slot, now: MonotonicMs): void {
  peer.next = nextSlot(from);
  peer.inFlightBytes = 0;
  peer.resends++;
  peer.progressAt = peer.resentAt = now;
  stream(s, peer, now);
}

/** Progress is owed from the first bytes on: an idle peer does not count as stalled. */
function underWay(peer: Peer, bytes: number, now: MonotonicMs): void {
  if (peer.inFlightBytes === 0) peer.progressAt = now;
  peer.inFlightBytes += bytes;
}

function roomFor(s: State, peer: Peer): boolean {
  return peer.inFlightBytes < PEER_CHUNKS_IN_FLIGHT * s.options.chunkBytesMax;
}

import type { Ballot } from './ballot.js';

/** What a slot holds. The core never looks into a command's payload. */
export type Entry = { readonly kind: 'noop' } | { readonly kind: 'command'; readonly payload: Uint8Array };

/** A value that an acceptor has accepted, and the ballot it did so under. */
export interface AcceptedEntry {
  readonly ballot: Ballot;
  readonly entry: Entry;
}

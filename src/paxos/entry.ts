import type { Ballot } from './ballot.js';
import type { Configuration } from './configuration.js';

/** What a slot holds. The core never looks into a command's payload. */
export type Entry =
  | { readonly kind: 'noop' }
  | { readonly kind: 'command'; readonly payload: Uint8Array }
  /** Closes the log of a configuration: the next one begins in the slot behind it. */
  | { readonly kind: 'seal'; readonly next: Configuration };

/** A value that an acceptor has accepted, and the ballot it did so under. */
export interface AcceptedEntry {
  readonly ballot: Ballot;
  readonly entry: Entry;
}

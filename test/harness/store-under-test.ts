import type { Fence, Fields, RecordStore } from '../../src/locking/index.js';

export interface StoreUnderTest {
  readonly store: RecordStore;
  /** Names of two resources with the fields `owner` (text), `balance` (integer, nullable) and `note` (text, nullable). */
  readonly main: string;
  readonly part: string;
  close(): Promise<void>;
}

export interface Account extends Fields {
  readonly owner: string;
  readonly balance: number | null;
  readonly note: string | null;
}

let unique = 0;
/** Ids and scopes that no other run has used, so that suites may share a database. */
export const fresh = (what: string): string =>
  `${what}-${process.pid}-${Date.now().toString(36)}-${unique++}`;

export const account = (balance = 0): Account => ({ owner: 'ada', balance, note: null });
export const fenceOf = (scope: string, token: bigint, owner?: string): Fence => ({
  scope,
  token,
  ...(owner === undefined ? {} : { owner }),
});

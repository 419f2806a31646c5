import { expect } from '@jest/globals';
import { LockingError, OutcomeUnknownError } from '../../src/locking/index.js';
import type { Cut, LossyProxy } from './lossy-proxy.js';

export interface CutTransactions {
  readonly proxy: LossyProxy;
  readonly cut: Cut;
  /** Tells a request that carries a statement from the chatter of the protocol. */
  readonly isStatement: (bytes: Buffer) => boolean;
  /** A transaction sends more statements than this, BEGIN and COMMIT included. */
  readonly statementsMin: number;
  /** A transaction on records of its own: one record updated, another deleted. */
  begin(): Promise<Transaction>;
}

export interface Transaction {
  write(): Promise<unknown>;
  wasUpdated(): Promise<boolean>;
  wasDeleted(): Promise<boolean>;
}

/**
 * Cuts the connection at the first statement of a transaction, at the second of the next one, and so on until one comes
 * through: only a lost COMMIT is unknown; before, nothing has happened. All of it stands or nothing of it.
 */
export async function onlyLostCommitIsUnknown(options: CutTransactions): Promise<void> {
  const { proxy, cut, isStatement, statementsMin } = options;
  const unknown: number[] = [];
  for (let at = 1; ; at++) {
    const transaction = await options.begin();
    let seen = 0;
    proxy.arm(cut, (bytes) => isStatement(bytes) && ++seen === at);
    const [outcome] = await Promise.allSettled([transaction.write()]);
    proxy.disarm();
    const written = await transaction.wasUpdated();
    expect(await transaction.wasDeleted()).toBe(written);
    if (outcome.status === 'fulfilled') {
      expect(written).toBe(true);
      expect(at).toBeGreaterThan(statementsMin);
      // Only the last thing that was sent was COMMIT.
      expect(unknown).toEqual([at - 1]);
      return;
    }
    if (outcome.reason instanceof OutcomeUnknownError) {
      unknown.push(at);
      expect(written).toBe(cut === 'answer');
    } else {
      expect(outcome.reason).not.toBeInstanceOf(LockingError);
      expect(written).toBe(false);
    }
  }
}

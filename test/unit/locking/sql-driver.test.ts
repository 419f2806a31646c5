import { describe, expect, it } from '@jest/globals';
import { Records } from '../../../src/locking/index.js';
import { type SqlDriver, SqlStore } from '../../../src/locking/sql/index.js';

describe('a SQL driver of two functions', () => {
  it('that loses the rows of a write is told apart from one whose write was done', async () => {
    const losesRows: SqlDriver = {
      query: () => Promise.resolve({ rows: [], changes: 1 }),
      transaction: (work) => work(losesRows),
    };
    const accounts = new Records<{ balance: number }>(new SqlStore(losesRows, 'postgres'), 'accounts');
    const update = accounts.update({ id: 'a', version: 1 }, { balance: 1 });
    await expect(update).rejects.toThrow('must return the rows of every such statement');
  });
});

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

  describe('whose database ends a deadlock again and again', () => {
    const deadlock = Object.assign(new Error('deadlock detected'), { code: '40P01', severity: 'ERROR' });
    const deadlocked = (times: number): { readonly driver: SqlDriver; readonly sent: () => number } => {
      let sent = 0;
      const driver: SqlDriver = {
        query: () =>
          ++sent <= times
            ? Promise.reject(deadlock)
            : Promise.resolve({ rows: [{ answer: 'w' }], changes: 0 }),
        transaction: (work) => work(driver),
      };
      return { driver, sent: () => sent };
    };
    const update = (driver: SqlDriver): Promise<number> =>
      new Records<{ balance: number }>(new SqlStore(driver, 'postgres'), 'accounts').update(
        { id: 'a', version: 1 },
        { balance: 1 },
      );

    it('is asked eight times more', async () => {
      expect(await update(deadlocked(8).driver)).toBe(2);
    });

    it('has its error passed on after that', async () => {
      const { driver, sent } = deadlocked(100);
      await expect(update(driver)).rejects.toBe(deadlock);
      expect(sent()).toBe(9);
    });
  });
});

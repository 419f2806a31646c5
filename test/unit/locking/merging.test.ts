import { describe, expect, it } from '@jest/globals';
import {
  MemoryStore,
  Records,
  StaleEpochError,
  UnmergeableError,
  VersionConflictError,
} from '../../../src/locking/index.js';

type Account = { readonly balance: number; readonly note: string };
const store = new MemoryStore();
const accounts = new Records<Account>(store, 'accounts');
let ids = 0;
async function opened(): Promise<string> {
  const id = `a-${ids++}`;
  await accounts.insert(id, { balance: 10, note: '' });
  return id;
}
/** A deposit stays a deposit, whatever the balance is meanwhile. */
const deposit = (base: Account, theirs: Account, mine: Partial<Account>): Partial<Account> => ({
  ...mine,
  balance: theirs.balance + (mine.balance! - base.balance),
});
const quick = { backoffMs: 0 };

describe('updateMerging', () => {
  it('writes at once when nobody was faster', async () => {
    const account = await accounts.read(await opened());
    expect(await accounts.updateMerging(account, { balance: 15 }, { merge: deposit })).toBe(2);
  });

  it('puts both changes together, over several conflicts', async () => {
    const id = await opened();
    const account = await accounts.read(id);
    await accounts.update(account, { balance: 100 });
    // Just before the first two writes that would match, somebody else changes the record once more.
    const touches = [2, 3].map((version) => ({ kind: 'touch', resource: 'accounts', id, version }) as const);
    store.faults = {
      beforeWrite: ([operation]) => {
        const [touch] = touches;
        if (operation?.kind !== 'update' || operation.version !== touch?.version) return;
        touches.shift();
        void store.write([touch], 'each');
      },
    };
    await accounts.updateMerging(account, { balance: 15 }, { merge: deposit, ...quick });
    store.faults = {};
    expect(touches).toEqual([]);
    expect((await accounts.read(id)).value.balance).toBe(105);
  });

  it('gives up when the changes cannot both be had, without trying again', async () => {
    const account = await accounts.read(await opened());
    await accounts.update(account, { note: 'theirs' });
    let asked = 0;
    const merge = (): undefined => void asked++;
    const failed = accounts.updateMerging(account, { note: 'mine' }, { merge, ...quick });
    await expect(failed).rejects.toThrow(UnmergeableError);
    await expect(failed).rejects.toThrow(VersionConflictError);
    expect(asked).toBe(1);
  });

  it('never merges for somebody who has lost the partition', async () => {
    const account = await accounts.read(await opened());
    await accounts.update(account, { balance: 1 }, { fence: { scope: 's', token: 9n } });
    const options = { merge: deposit, fence: { scope: 's', token: 8n }, ...quick };
    await expect(accounts.updateMerging(account, { balance: 2 }, options)).rejects.toThrow(StaleEpochError);
  });
});

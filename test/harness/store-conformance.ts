import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  AggregateChange,
  RecordExistsError,
  RecordNotFoundError,
  Records,
  StaleEpochError,
  VersionConflictError,
  type WriteOutcome,
} from '../../src/locking/index.js';
import { batchConformance } from './store-conformance-batches.js';
import { account, type Account, fenceOf, fresh, type StoreUnderTest } from './store-under-test.js';

export type { StoreUnderTest } from './store-under-test.js';

/** What every store must do, told apart in one round trip. The same for memory, Redis, SQL and Quorate's own records. */
export function storeConformance(name: string, open: () => Promise<StoreUnderTest>): void {
  describe(`${name}: a record store`, () => {
    let subject: StoreUnderTest;
    let accounts: Records<Account>;
    beforeAll(async () => {
      subject = await open();
      accounts = new Records(subject.store, subject.main);
    });
    afterAll(() => subject.close());

    it('inserts at version 1 and reads back what was written', async () => {
      const id = fresh('a');
      expect(await accounts.insert(id, { owner: 'ädä', balance: -5, note: null })).toBe(1);
      expect(await accounts.read(id)).toEqual({
        id,
        version: 1,
        fence: null,
        value: { owner: 'ädä', balance: -5, note: null },
      });
    });

    it('tells an id that is taken', async () => {
      const id = fresh('a');
      await accounts.insert(id, account());
      expect(await accounts.tryInsert(id, account())).toEqual({ kind: 'already-exists', actual: 1 });
      await expect(accounts.insert(id, account())).rejects.toThrow(RecordExistsError);
    });

    it('finds nothing where nothing is', async () => {
      expect(await accounts.find(fresh('a'))).toBeUndefined();
      await expect(accounts.read(fresh('a'))).rejects.toThrow(RecordNotFoundError);
    });

    it('reads many in the order of the ids, holes included', async () => {
      const [one, two] = [fresh('a'), fresh('a')];
      await accounts.insert(one, account(1));
      await accounts.insert(two, account(2));
      const found = await accounts.findAll([two, fresh('none'), one]);
      expect(found.map((record) => record?.value.balance)).toEqual([2, undefined, 1]);
    });

    it('updates only the fields given, and counts the version up by one', async () => {
      const id = fresh('a');
      await accounts.insert(id, { owner: 'ada', balance: 1, note: 'old' });
      expect(await accounts.update({ id, version: 1 }, { balance: 7 })).toBe(2);
      expect(await accounts.update({ id, version: 2 }, { note: null })).toBe(3);
      expect(await accounts.read(id)).toMatchObject({
        version: 3,
        value: { owner: 'ada', balance: 7, note: null },
      });
    });

    it('tells conflict and absence apart, with both versions', async () => {
      const id = fresh('a');
      await accounts.insert(id, account());
      await accounts.update({ id, version: 1 }, { balance: 1 });
      const conflict: WriteOutcome = { kind: 'version-conflict', expected: 1, actual: 2 };
      expect(await accounts.tryUpdate({ id, version: 1 }, { balance: 9 })).toEqual(conflict);
      expect(await accounts.tryDelete({ id, version: 1 })).toEqual(conflict);
      const none = { id: fresh('none'), version: 1 };
      expect(await accounts.tryUpdate(none, { balance: 9 })).toEqual({ kind: 'not-found' });
      expect(await accounts.tryDelete(none)).toEqual({ kind: 'not-found' });
      await expect(accounts.update({ id, version: 1 }, { balance: 9 })).rejects.toMatchObject({
        expected: 1,
        actual: 2,
      });
      await expect(accounts.update({ id, version: 1 }, { balance: 9 })).rejects.toThrow(VersionConflictError);
      expect((await accounts.read(id)).value.balance).toBe(1);
    });

    it('deletes at the right version only', async () => {
      const id = fresh('a');
      await accounts.insert(id, account());
      await accounts.delete({ id, version: 1 });
      expect(await accounts.find(id)).toBeUndefined();
    });

    it('force-increments without a change', async () => {
      const id = fresh('a');
      await accounts.insert(id, account(3));
      expect(await accounts.touch({ id, version: 1 })).toBe(2);
      expect(await accounts.read(id)).toMatchObject({ version: 2, value: { balance: 3 } });
      await expect(accounts.touch({ id, version: 1 })).rejects.toThrow(VersionConflictError);
    });

    describe('fences', () => {
      it('takes an equal and a higher token, and remembers the highest', async () => {
        const [id, scope] = [fresh('a'), fresh('g/t/0')];
        await accounts.insert(id, account(), { fence: fenceOf(scope, 5n) });
        await accounts.update({ id, version: 1 }, { balance: 1 }, { fence: fenceOf(scope, 5n) });
        await accounts.update({ id, version: 2 }, { balance: 2 }, { fence: fenceOf(scope, 8n) });
        expect(await accounts.read(id)).toMatchObject({ version: 3, fence: 8n });
      });

      it('refuses a lower token even at the right version, and before anything else', async () => {
        const [id, scope] = [fresh('a'), fresh('g/t/0')];
        await accounts.insert(id, account(), { fence: fenceOf(scope, 8n) });
        const stale: WriteOutcome = { kind: 'stale-epoch', scope, token: 7n, current: 8n };
        const fence = fenceOf(scope, 7n);
        expect(await accounts.tryUpdate({ id, version: 1 }, { balance: 9 }, { fence })).toEqual(stale);
        expect(await accounts.tryUpdate({ id, version: 99 }, { balance: 9 }, { fence })).toEqual(stale);
        expect(await accounts.tryDelete({ id, version: 1 }, { fence })).toEqual(stale);
        await expect(accounts.update({ id, version: 1 }, { balance: 9 }, { fence })).rejects.toThrow(
          StaleEpochError,
        );
        expect(await accounts.read(id)).toMatchObject({ version: 1, fence: 8n, value: { balance: 0 } });
      });

      it('keeps the fence of a record that is written without one', async () => {
        const [id, scope] = [fresh('a'), fresh('g/t/0')];
        await accounts.insert(id, account(), { fence: fenceOf(scope, 4n) });
        await accounts.update({ id, version: 1 }, { balance: 1 });
        expect((await accounts.read(id)).fence).toBe(4n);
      });

      it('compares tokens as integers beyond 2^53, exactly', async () => {
        const [id, scope] = [fresh('a'), fresh('g/t/0')];
        const high = 2n ** 62n + 1n;
        await accounts.insert(id, account(), { fence: fenceOf(scope, high) });
        expect(
          await accounts.tryUpdate({ id, version: 1 }, { balance: 1 }, { fence: fenceOf(scope, high - 1n) }),
        ).toEqual({
          kind: 'stale-epoch',
          scope,
          token: high - 1n,
          current: high,
        });
        expect((await accounts.read(id)).fence).toBe(high);
        // 9 and 10: compared as numbers, not as text.
        const other = fresh('a');
        await accounts.insert(other, account(), { fence: fenceOf(fresh('g/t/1'), 9n) });
        expect(
          await accounts.update(
            { id: other, version: 1 },
            { balance: 1 },
            { fence: fenceOf(fresh('g/t/1'), 10n) },
          ),
        ).toBe(2);
      });

      it('after a seal refuses lower tokens on every record of the scope, also new ones', async () => {
        const scope = fresh('g/t/0');
        const [old, another] = [fresh('a'), fresh('a')];
        await accounts.insert(old, account(), { fence: fenceOf(scope, 3n) });
        expect(await subject.store.trySeal(fenceOf(scope, 4n, 'b'))).toEqual({
          kind: 'sealed',
          previous: null,
        });
        const stale: WriteOutcome = { kind: 'stale-epoch', scope, token: 3n, current: 4n };
        const fence = fenceOf(scope, 3n);
        expect(await accounts.tryUpdate({ id: old, version: 1 }, { balance: 9 }, { fence })).toEqual(stale);
        expect(await accounts.tryInsert(another, account(), { fence })).toEqual(stale);
        expect(await accounts.tryDelete({ id: old, version: 1 }, { fence })).toEqual(stale);
        expect(
          await accounts.update({ id: old, version: 1 }, { balance: 1 }, { fence: fenceOf(scope, 4n) }),
        ).toBe(2);
      });

      it('seals upwards only; again by the same owner, never by another with the same token', async () => {
        const scope = fresh('g/t/0');
        expect(await subject.store.fenceOf(scope)).toBeNull();
        await subject.store.seal(fenceOf(scope, 4n, 'b'));
        expect(await subject.store.trySeal(fenceOf(scope, 4n, 'b'))).toEqual({
          kind: 'sealed',
          previous: 4n,
        });
        const stale = { kind: 'stale-epoch', scope, current: 4n };
        expect(await subject.store.trySeal(fenceOf(scope, 4n, 'c'))).toEqual({ ...stale, token: 4n });
        expect(await subject.store.trySeal(fenceOf(scope, 3n, 'b'))).toEqual({ ...stale, token: 3n });
        expect(await subject.store.trySeal(fenceOf(scope, 2n ** 62n, 'c'))).toEqual({
          kind: 'sealed',
          previous: 4n,
        });
        expect(await subject.store.fenceOf(scope)).toBe(2n ** 62n);
      });

      it('throws what a seal was refused for, and returns what it replaced', async () => {
        const scope = fresh('g/t/0');
        await subject.store.seal(fenceOf(scope, 4n, 'b'));
        const refused = subject.store.seal(fenceOf(scope, 3n, 'a'));
        await expect(refused).rejects.toThrow(StaleEpochError);
        await expect(refused).rejects.toMatchObject({ scope, token: 3n, current: 4n });
        await expect(subject.store.seal(fenceOf(scope, 4n, 'c'))).rejects.toThrow(StaleEpochError);
        expect(await subject.store.seal(fenceOf(scope, 5n, 'c'))).toEqual({ kind: 'sealed', previous: 4n });
      });

      it('knows no owner of a seal that was taken without saying who', async () => {
        const scope = fresh('g/t/0');
        await subject.store.seal(fenceOf(scope, 4n, 'b'));
        await subject.store.seal(fenceOf(scope, 5n));
        expect(await subject.store.trySeal(fenceOf(scope, 5n, 'c'))).toEqual({
          kind: 'sealed',
          previous: 5n,
        });
        expect(await subject.store.trySeal(fenceOf(scope, 5n))).toEqual({ kind: 'sealed', previous: 5n });
        expect(await subject.store.trySeal(fenceOf(scope, 5n, 'd'))).toMatchObject({ kind: 'stale-epoch' });
      });

      it('names the higher of the seal and the fence of the record', async () => {
        const [id, scope] = [fresh('a'), fresh('g/t/0')];
        await accounts.insert(id, account(), { fence: fenceOf(scope, 9n) });
        await subject.store.seal(fenceOf(scope, 6n));
        const change = (token: bigint): Promise<WriteOutcome> =>
          accounts.tryUpdate({ id, version: 1 }, { balance: 1 }, { fence: fenceOf(scope, token) });
        expect(await change(5n)).toEqual({ kind: 'stale-epoch', scope, token: 5n, current: 9n });
        await subject.store.seal(fenceOf(scope, 12n));
        expect(await change(5n)).toEqual({ kind: 'stale-epoch', scope, token: 5n, current: 12n });
        expect(await change(11n)).toEqual({ kind: 'stale-epoch', scope, token: 11n, current: 12n });
        expect(await change(12n)).toEqual({ kind: 'written', version: 2 });
      });

      it('tells a stale epoch also where there is no record, and before an id that is taken', async () => {
        const [taken, scope] = [fresh('a'), fresh('g/t/0')];
        await accounts.insert(taken, account(), { fence: fenceOf(scope, 9n) });
        await subject.store.seal(fenceOf(scope, 4n));
        const fence = fenceOf(scope, 3n);
        const missing = { id: fresh('none'), version: 1 };
        expect(await accounts.tryUpdate(missing, { balance: 1 }, { fence })).toMatchObject({ current: 4n });
        expect(await accounts.tryDelete(missing, { fence })).toMatchObject({ current: 4n });
        const low = fenceOf(scope, 8n);
        expect(await accounts.tryInsert(taken, account(), { fence: low })).toMatchObject({ current: 9n });
        expect(await accounts.tryInsert(taken, account(), { fence: fenceOf(scope, 9n) })).toEqual({
          kind: 'already-exists',
          actual: 1,
        });
      });
    });

    batchConformance(() => subject);

    describe('aggregates', () => {
      it('bump the main record once, whatever part changes', async () => {
        const [order, line, gone] = [fresh('o'), fresh('l'), fresh('l')];
        await accounts.insert(order, account());
        const change = new AggregateChange<Account>(subject.store, subject.main, { id: order, version: 1 });
        change
          .insert(subject.part, line, account(1))
          .insert(subject.part, gone, account(2))
          .set({ balance: 3 });
        expect(await change.commit()).toBe(2);
        const next = new AggregateChange<Account>(subject.store, subject.main, { id: order, version: 2 });
        next
          .update(subject.part, { id: line, version: 1 }, { balance: 9 })
          .delete(subject.part, { id: gone, version: 1 });
        expect(await next.commit()).toBe(3);
        expect(await accounts.read(order)).toMatchObject({ version: 3, value: { balance: 3 } });
      });

      it('never let two changes of the same main record both succeed', async () => {
        const order = fresh('o');
        await accounts.insert(order, account());
        const change = (): AggregateChange<Account> =>
          new AggregateChange<Account>(subject.store, subject.main, { id: order, version: 1 }).insert(
            subject.part,
            fresh('l'),
            account(),
          );
        const results = await Promise.allSettled([change().commit(), change().commit()]);
        expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
      });

      it('can depend on a main record without changing it', async () => {
        const [order, line] = [fresh('o'), fresh('l')];
        await accounts.insert(order, account());
        const change = new AggregateChange<Account>(subject.store, subject.main, {
          id: order,
          version: 1,
        }).readOnlyRoot();
        expect(await change.insert(subject.part, line, account()).commit()).toBe(1);
        await accounts.touch({ id: order, version: 1 });
        const late = new AggregateChange<Account>(subject.store, subject.main, {
          id: order,
          version: 1,
        }).readOnlyRoot();
        await expect(late.insert(subject.part, fresh('l'), account()).commit()).rejects.toThrow(
          VersionConflictError,
        );
      });

      it('leave nothing behind when one part fails', async () => {
        const [order, line] = [fresh('o'), fresh('l')];
        await accounts.insert(order, account());
        const change = new AggregateChange<Account>(subject.store, subject.main, { id: order, version: 1 });
        change
          .insert(subject.part, line, account())
          .update(subject.part, { id: fresh('none'), version: 1 }, { balance: 1 });
        await expect(change.commit()).rejects.toThrow(RecordNotFoundError);
        expect((await accounts.read(order)).version).toBe(1);
        expect((await subject.store.read(subject.part, [line]))[0]).toBeUndefined();
      });
    });
  });
}

import { beforeAll, describe, expect, it } from '@jest/globals';
import { Records, type WriteOperation, type WriteOutcome } from '../../src/locking/index.js';
import { account, type Account, fenceOf, fresh, type StoreUnderTest } from './store-under-test.js';

/** The part of the conformance suite that is about several writes at once. */
export function batchConformance(opened: () => StoreUnderTest): void {
  let subject: StoreUnderTest;
  let accounts: Records<Account>;
  beforeAll(() => {
    subject = opened();
    accounts = new Records(subject.store, subject.main);
  });

  describe('batches', () => {
    it('give a result per row', async () => {
      const ids = [fresh('a'), fresh('a'), fresh('a')];
      for (const id of ids) await accounts.insert(id, account());
      await accounts.update({ id: ids[1]!, version: 1 }, { balance: 5 });
      const updates = [...ids, fresh('none')].map((id, i) => ({
        record: { id, version: 1 },
        changes: { balance: i },
      }));
      expect(await accounts.bulkUpdate(updates, 'each')).toEqual([
        { kind: 'written', version: 2 },
        { kind: 'version-conflict', expected: 1, actual: 2 },
        { kind: 'written', version: 2 },
        { kind: 'not-found' },
      ]);
      expect((await accounts.findAll(ids)).map((record) => record!.value.balance)).toEqual([0, 5, 2]);
    });

    it('or all or nothing, and say which row was to blame', async () => {
      const ids = [fresh('a'), fresh('a'), fresh('a')];
      for (const id of ids) await accounts.insert(id, account());
      await accounts.update({ id: ids[1]!, version: 1 }, { balance: 5 });
      const updates = ids.map((id) => ({ record: { id, version: 1 }, changes: { balance: 77 } }));
      expect(await accounts.bulkUpdate(updates, 'all-or-nothing')).toEqual([
        { kind: 'skipped' },
        { kind: 'version-conflict', expected: 1, actual: 2 },
        { kind: 'skipped' },
      ]);
      expect((await accounts.findAll(ids)).map((record) => record!.value.balance)).toEqual([0, 5, 0]);
      const right = ids.map((id, i) => ({
        record: { id, version: i === 1 ? 2 : 1 },
        changes: { balance: 77 },
      }));
      expect(
        (await accounts.bulkUpdate(right, 'all-or-nothing')).every(({ kind }) => kind === 'written'),
      ).toBe(true);
    });
  });

  describe('batches of all kinds', () => {
    it('do what each operation says, in order, also twice on one record', async () => {
      const [a, b, c] = [fresh('a'), fresh('a'), fresh('a')];
      const scope = fresh('g/t/0');
      await accounts.insert(b, account(1));
      await accounts.insert(c, account(1));
      const { main, part, store } = subject;
      const fence = fenceOf(scope, 3n);
      const written = (version: number): WriteOutcome => ({ kind: 'written', version });
      for (const mode of ['all-or-nothing', 'each'] as const) {
        const version = mode === 'each' ? 3 : 1;
        const outcomes = await store.write(
          [
            { kind: 'insert', resource: part, id: `${a}-${mode}`, value: account(5), fence },
            { kind: 'update', resource: main, id: b, version, changes: { balance: 2 }, fence },
            {
              kind: 'update',
              resource: part,
              id: `${a}-${mode}`,
              version: 1,
              changes: { note: 'x' },
              fence,
            },
            { kind: 'check', resource: main, id: c, version: 1, fence },
            { kind: 'touch', resource: main, id: b, version: version + 1, fence },
          ],
          mode,
        );
        expect(outcomes).toEqual([
          written(1),
          written(version + 1),
          written(2),
          written(1),
          written(version + 2),
        ]);
        expect(await store.read(part, [`${a}-${mode}`])).toMatchObject([
          { version: 2, fence: 3n, value: { balance: 5, note: 'x' } },
        ]);
      }
      expect(await accounts.read(b)).toMatchObject({ version: 5, fence: 3n, value: { balance: 2 } });
      expect(await accounts.read(c)).toMatchObject({ version: 1, fence: null });
    });

    it('say which of them failed for which reason', async () => {
      const ids = Array.from({ length: 6 }, () => fresh('a'));
      const [scope, sealed] = [fresh('g/t/0'), fresh('g/t/1')];
      for (const id of ids) await accounts.insert(id, account());
      await subject.store.seal(fenceOf(sealed, 8n));
      await accounts.touch({ id: ids[0]!, version: 1 });
      const { main, store } = subject;
      const operations: WriteOperation[] = [
        { kind: 'update', resource: main, id: ids[0]!, version: 1, changes: { balance: 9 } },
        { kind: 'insert', resource: main, id: ids[1]!, value: account() },
        { kind: 'delete', resource: main, id: fresh('none'), version: 1, fence: fenceOf(scope, 1n) },
        { kind: 'touch', resource: main, id: ids[2]!, version: 1, fence: fenceOf(sealed, 7n) },
        { kind: 'check', resource: main, id: ids[3]!, version: 2 },
        { kind: 'update', resource: main, id: ids[4]!, version: 1, changes: { balance: 4 } },
        { kind: 'delete', resource: main, id: ids[5]!, version: 1, fence: fenceOf(sealed, 8n) },
      ];
      const failures: WriteOutcome[] = [
        { kind: 'version-conflict', expected: 1, actual: 2 },
        { kind: 'already-exists', actual: 1 },
        { kind: 'not-found' },
        { kind: 'stale-epoch', scope: sealed, token: 7n, current: 8n },
        { kind: 'version-conflict', expected: 2, actual: 1 },
      ];
      const skipped: WriteOutcome = { kind: 'skipped' };
      expect(await store.write(operations, 'all-or-nothing')).toEqual([...failures, skipped, skipped]);
      expect((await accounts.findAll(ids)).map((record) => record?.version)).toEqual([2, 1, 1, 1, 1, 1]);
      expect(await store.write(operations, 'each')).toEqual([
        ...failures,
        { kind: 'written', version: 2 },
        { kind: 'written', version: 1 },
      ]);
      expect((await accounts.findAll(ids)).map((record) => record?.version)).toEqual([
        2,
        1,
        1,
        1,
        2,
        undefined,
      ]);
    });

    it('of one hundred rows, each with its own values, under one fence', async () => {
      const ids = Array.from({ length: 100 }, () => fresh('a'));
      const scope = fresh('g/t/0');
      for (const id of ids) await accounts.insert(id, account());
      const updates = (
        version: number,
      ): { record: { id: string; version: number }; changes: Partial<Account> }[] =>
        ids.map((id, i) => ({
          record: { id, version },
          changes: { balance: i, note: i % 2 === 0 ? null : `"${i}" \\ '` },
        }));
      const fence = fenceOf(scope, 2n ** 62n + 1n);
      for (const [i, mode] of (['each', 'all-or-nothing'] as const).entries()) {
        const outcomes = await accounts.bulkUpdate(updates(i + 1), mode, { fence });
        expect(outcomes.every((outcome) => outcome.kind === 'written' && outcome.version === i + 2)).toBe(
          true,
        );
      }
      const found = await accounts.findAll(ids);
      expect(found.map((record) => record!.value.balance)).toEqual(ids.map((_, i) => i));
      expect(found[1]).toMatchObject({ fence: 2n ** 62n + 1n, value: { owner: 'ada', note: `"1" \\ '` } });
      await subject.store.seal(fenceOf(scope, 2n ** 62n + 2n));
      const stale = await accounts.bulkUpdate(updates(3), 'each', { fence });
      expect(stale.every((outcome) => outcome.kind === 'stale-epoch')).toBe(true);
    });
  });
}

import { describe, expect, it } from '@jest/globals';
import { finished, PartedBytes, seededRandom, wallMs } from '../../../src/kernel/index.js';
import {
  createRegisters,
  type RecordFence,
  type RecordOperation,
  type RecordOutcome,
  type Registers,
  restoringRegisters,
  snapshotRegisters,
} from '../../../src/registers/index.js';
import { decodeCommand, encodeCommand } from '../../../src/machine/index.js';

const restored = (bytes: Uint8Array): Registers => finished(restoringRegisters(PartedBytes.whole(bytes)));

const SPACE = 'accounts';
const value = (balance: number): readonly { name: string; json: string }[] => [
  { name: 'balance', json: String(balance) },
];
const by = (token: bigint, scope = 'g/t/0', owner: string | null = null): RecordFence => ({
  scope,
  token,
  owner,
});
const insert = (id: string, balance = 0, fence: RecordFence | null = null): RecordOperation => ({
  kind: 'insert',
  id,
  fields: value(balance),
  fence,
});
const update = (
  id: string,
  version: number,
  balance: number,
  fence: RecordFence | null = null,
): RecordOperation => ({ kind: 'update', id, version, fields: value(balance), replace: false, fence });
const remove = (id: string, version: number, fence: RecordFence | null = null): RecordOperation => ({
  kind: 'delete',
  id,
  version,
  fence,
});

function write(
  registers: Registers,
  operations: readonly RecordOperation[],
  atomic = true,
): readonly RecordOutcome[] {
  const reply = registers.apply({ kind: 'record.write', space: SPACE, operations, atomic });
  return reply.kind === 'records' ? reply.outcomes : [];
}
const bytesOf = (registers: Registers): Buffer => Buffer.concat([...snapshotRegisters(registers)]);

describe('records', () => {
  it('count versions on over deletion and re-creation', () => {
    const registers = createRegisters();
    expect(write(registers, [insert('a', 1)])).toEqual([{ kind: 'written', version: 1 }]);
    expect(write(registers, [update('a', 1, 2)])).toEqual([{ kind: 'written', version: 2 }]);
    expect(write(registers, [remove('a', 2)])).toEqual([{ kind: 'written', version: 2 }]);
    expect(registers.get(SPACE, 'a')).toBeUndefined();
    expect(write(registers, [insert('a', 5)])).toEqual([{ kind: 'written', version: 4 }]);
    expect(write(registers, [update('a', 2, 9)])).toEqual([
      { kind: 'version-conflict', expected: 2, actual: 4 },
    ]);
  });

  it('keep the fence of a deleted record', () => {
    const registers = createRegisters();
    write(registers, [insert('a', 1, by(8n))]);
    write(registers, [remove('a', 1, by(8n))]);
    const stale = { kind: 'stale-epoch', scope: 'g/t/0', token: '7', current: '8' };
    expect(write(registers, [insert('a', 1, by(7n))])).toEqual([stale]);
    expect(write(registers, [insert('a', 1, by(8n))])).toMatchObject([{ kind: 'written' }]);
  });

  it('forget the oldest of many deleted records without taking what was refused', () => {
    const registers = createRegisters();
    write(registers, [insert('old', 1, by(8n))]);
    write(registers, [remove('old', 1, by(8n))]);
    for (let i = 0; i < 1_000; i++) {
      write(registers, [insert(`r${i}`)]);
      write(registers, [remove(`r${i}`, registers.get(SPACE, `r${i}`)!.version)]);
    }
    expect(registers.fenceOf(SPACE, 'g/t/0')).toBe(8n);
    expect(write(registers, [insert('old', 1, by(7n))])).toMatchObject([{ kind: 'stale-epoch' }]);
    const [made] = write(registers, [insert('old', 1, by(8n))]);
    expect(made).toMatchObject({ kind: 'written' });
    expect((made as { version: number }).version).toBeGreaterThan(2);
  });

  it('change all together or not at all', () => {
    const registers = createRegisters();
    write(registers, [insert('a', 1), insert('b', 1)]);
    const before = bytesOf(registers);
    expect(write(registers, [update('a', 1, 2), remove('b', 1), insert('c'), update('a', 1, 3)])).toEqual([
      { kind: 'skipped' },
      { kind: 'skipped' },
      { kind: 'skipped' },
      { kind: 'version-conflict', expected: 1, actual: 2 },
    ]);
    const after = restored(before);
    for (const id of ['a', 'b', 'c']) expect(registers.get(SPACE, id)).toEqual(after.get(SPACE, id));
    expect(write(registers, [insert('c')])).toEqual([{ kind: 'written', version: 1 }]);
  });

  it('each stand for themselves when asked to', () => {
    const registers = createRegisters();
    write(registers, [insert('a', 1)]);
    expect(write(registers, [update('a', 9, 2), update('a', 1, 3), update('x', 1, 3)], false)).toEqual([
      { kind: 'version-conflict', expected: 9, actual: 1 },
      { kind: 'written', version: 2 },
      { kind: 'not-found' },
    ]);
  });

  it('merge fields or replace them', () => {
    const registers = createRegisters();
    const fields = [...value(1), { name: 'note', json: '"x"' }];
    write(registers, [{ kind: 'insert', id: 'a', fields, fence: null }]);
    write(registers, [update('a', 1, 2)]);
    expect(registers.get(SPACE, 'a')!.fields).toEqual([...value(2), { name: 'note', json: '"x"' }]);
    write(registers, [{ kind: 'update', id: 'a', version: 2, fields: value(3), replace: true, fence: null }]);
    expect(registers.get(SPACE, 'a')!.fields).toEqual(value(3));
  });

  it('are listed by prefix, in order, page by page', () => {
    const registers = createRegisters();
    write(
      registers,
      ['b2', 'a1', 'b1', 'b3', 'c'].map((id) => insert(id)),
    );
    const ids = (after: string): readonly string[] =>
      registers.list(SPACE, 'b', after, 2).map(({ id }) => id);
    expect(ids('')).toEqual(['b1', 'b2']);
    expect(ids('b2')).toEqual(['b3']);
  });

  it('seals go up only; an equal token of another owner is refused', () => {
    const registers = createRegisters();
    const seal = (fence: RecordFence): unknown => {
      const reply = registers.apply({ kind: 'record.seal', space: SPACE, fence });
      return reply.kind === 'seal' && reply.outcome;
    };
    expect(seal(by(4n, 's', 'b'))).toEqual({ kind: 'sealed', previous: null });
    expect(seal(by(4n, 's', 'b'))).toEqual({ kind: 'sealed', previous: '4' });
    expect(seal(by(4n, 's', 'c'))).toEqual({ kind: 'stale-epoch', scope: 's', token: '4', current: '4' });
    expect(seal(by(3n, 's', 'b'))).toMatchObject({ kind: 'stale-epoch' });
    expect(seal(by(2n ** 62n, 's', 'c'))).toEqual({ kind: 'sealed', previous: '4' });
    expect(registers.fenceOf(SPACE, 's')).toBe(2n ** 62n);
  });

  it('stand the same in the log, in a snapshot and in the fingerprint, over 60 random lives', () => {
    for (let seed = 1; seed <= 60; seed++) {
      const random = seededRandom(seed);
      let one = createRegisters() as Registers;
      const other = createRegisters();
      const highest = new Map<string, number>();
      let hash = 0;
      let otherHash = 0;
      for (let step = 0; step < 60; step++) {
        const id = `r${random.below(4)}`;
        const at = one.get(SPACE, id)?.version ?? 1;
        const version = random.below(4) === 0 ? at + 1 : at;
        const fence = random.below(2) === 0 ? null : by(BigInt(random.below(6)), `s${random.below(2)}`);
        const kinds = ['delete', 'touch', 'check'] as const;
        const operation: RecordOperation = [insert(id, step, fence), update(id, version, step, fence)][
          random.below(3)
        ] ?? { kind: kinds[random.below(3)]!, id, version, fence };
        const command =
          fence !== null && random.below(5) === 0
            ? ({ kind: 'record.seal', space: SPACE, fence } as const)
            : ({
                kind: 'record.write',
                space: SPACE,
                operations: [operation, insert(`r${random.below(4)}`)].slice(0, 1 + random.below(2)),
                atomic: random.below(2) === 0,
              } as const);
        const travelled = decodeCommand(encodeCommand({ at: wallMs(1), command })).command;
        const reply = one.apply(command);
        expect(other.apply(travelled as typeof command)).toEqual(reply);
        hash = one.fingerprint(command, hash);
        otherHash = other.fingerprint(command, otherHash);
        expect(otherHash).toBe(hash);
        for (const each of ['r0', 'r1', 'r2', 'r3']) {
          const now = one.get(SPACE, each)?.version ?? 0;
          // A version never comes back, whatever was deleted in between.
          if (now > 0) expect(now).toBeGreaterThanOrEqual(highest.get(each) ?? 0);
          highest.set(each, Math.max(now, highest.get(each) ?? 0));
        }
        if (random.below(10) === 0) one = restored(bytesOf(one));
        expect(bytesOf(one).equals(bytesOf(other))).toBe(true);
        // Counted as they change, and counted anew.
        const anew = restored(bytesOf(other));
        expect(other.recordBytes).toBe(anew.recordBytes);
        expect(other.recordBytes > 0).toBe(other.recordCount > 0);
      }
    }
  });
});

import { describe, expect, it } from '@jest/globals';
import { InvariantError, NO_SLOT, replicaId, seededRandom, slot } from '../../../src/kernel/index.js';
import {
  type Ballot,
  BALLOT_ZERO,
  type Begun,
  type Entry,
  type HardRecord,
  maxBallot,
} from '../../../src/paxos/index.js';
import type { AcceptedEntry } from '../../../src/paxos/entry.js';
// Behind the door on purpose: the log is the core's own, and is tested where it is.
import { AcceptedLog, entryBytes, replay, type Replayed } from '../../../src/paxos/log.js';
import { valueText } from './value.js';

const ballot = (round: number): Ballot => ({ round, priority: 0, replica: replicaId(1) });
const command = (text: string): Entry => ({ kind: 'command', payload: Buffer.from(text) });
const text = (entry: Entry | undefined): string => (entry === undefined ? '-' : valueText(entry));

/** A log of the letters of a word, from slot 1 on, in ballots of the given rounds. */
function logOf(word: string, rounds: readonly number[] = []): AcceptedLog {
  const log = new AcceptedLog();
  [...word].forEach((letter, i) =>
    log.put(slot(i + 1), { ballot: ballot(rounds[i] ?? 1), entry: command(letter) }),
  );
  return log;
}

const word = (log: AcceptedLog): string => {
  let all = '';
  for (let at: number = log.firstSlot; at <= log.lastSlot; at++) all += text(log.at(slot(at))?.entry);
  return all;
};
const read = (records: Iterable<HardRecord>, snapshotThrough = 0): Replayed =>
  replay(records, { through: slot(snapshotThrough) }, BALLOT_ZERO, maxBallot);
const accepted = (round: number, firstSlot: number, letters: string): HardRecord => ({
  kind: 'accepted',
  ballot: ballot(round),
  firstSlot: slot(firstSlot),
  entries: [...letters].map(command),
});

describe('the accepted log', () => {
  it('is empty at first, and ends before it begins', () => {
    const log = new AcceptedLog();
    expect([log.firstSlot, log.lastSlot, log.at(slot(1))]).toEqual([1, 0, undefined]);
  });

  it('takes values in order, and a later ballot may overwrite one', () => {
    const log = logOf('abc');
    log.put(slot(2), { ballot: ballot(2), entry: command('B') });
    expect(word(log)).toBe('aBc');
    expect([log.at(slot(2))?.ballot.round, log.at(slot(3))?.ballot.round]).toEqual([2, 1]);
  });

  it('refuses a value that would leave a gap, or lies in the snapshot', () => {
    const log = logOf('abc');
    const put = (at: number) => () => log.put(slot(at), { ballot: ballot(1), entry: command('x') });
    expect(put(5)).toThrow(InvariantError);
    log.trimBefore(slot(3));
    expect(put(2)).toThrow('slot 2 continues a log of 3..3');
  });

  it('is cut into chunks by bytes, of at least one entry', () => {
    const log = logOf('abcdef');
    const bytes = entryBytes(command('a'));
    const chunk = (from: number, last: number, bytesMax: number): string =>
      log
        .slice(slot(from), slot(last), bytesMax)
        .map(({ entry }) => text(entry))
        .join('');
    expect(chunk(1, 6, 2 * bytes)).toBe('ab');
    expect(chunk(3, 6, 1)).toBe('c');
    expect(chunk(5, 9, 100 * bytes)).toBe('ef');
    expect(chunk(2, 4, 100 * bytes)).toBe('bcd');
    expect(chunk(7, 9, 100)).toBe('');
  });

  it('forgets what a snapshot covers; beyond its end it begins anew there', () => {
    const log = logOf('abcdef');
    log.trimBefore(slot(3));
    expect([word(log), log.firstSlot, log.lastSlot, log.at(slot(2))]).toEqual(['cdef', 3, 6, undefined]);
    log.trimBefore(slot(2));
    expect(log.firstSlot).toBe(3);
    log.trimBefore(slot(20));
    expect([log.firstSlot, log.lastSlot]).toEqual([20, 19]);
    log.put(slot(20), { ballot: ballot(1), entry: command('t') });
    expect(word(log)).toBe('t');
  });

  it('comes back from its records, whatever its ballots and the size of a chunk', () => {
    const random = seededRandom(3);
    for (let run = 0; run < 200; run++) {
      const length = random.below(12);
      const letters = 'abcdefghijkl'.slice(0, length);
      const rounds = Array.from({ length }, () => 1 + random.below(3));
      const log = logOf(letters, rounds);
      const records = [...log.records(slot(1), log.lastSlot, 1 + random.below(100))];
      const found = read(records).log;
      expect(word(found)).toBe(letters);
      expect(rounds.map((_, i) => found.at(slot(i + 1))?.ballot.round)).toEqual(rounds);
    }
  });
});

describe('a log that is sealed', () => {
  const seal = (number: number): Entry => ({
    kind: 'seal',
    next: { number, members: [{ id: replicaId(1), incarnation: 'disk' }], quorums: { kind: 'majority' } },
  });

  it('drops what an older ballot left behind the seal, and takes nothing there', () => {
    const log = logOf('abcd');
    log.put(slot(2), { ballot: ballot(2), entry: seal(2) });
    expect([log.seal, log.lastSlot]).toEqual([2, 2]);
    expect(() => log.put(slot(3), { ballot: ballot(2), entry: command('x') })).toThrow('behind the seal');
  });

  it('is open again when a higher ballot puts another value in place of the seal', () => {
    const log = logOf('a');
    log.put(slot(2), { ballot: ballot(1), entry: seal(2) });
    log.put(slot(2), { ballot: ballot(2), entry: command('b') });
    log.put(slot(3), { ballot: ballot(2), entry: command('c') });
    expect([log.seal, word(log)]).toEqual([undefined, 'abc']);
  });

  it('goes on behind the seal, and comes back with each configuration where it began', () => {
    const log = logOf('a');
    for (const [at, number] of [
      [2, 2],
      [4, 3],
    ] as const) {
      log.put(slot(at), { ballot: ballot(9), entry: seal(number) });
      log.continueBehind(slot(at));
      log.put(slot(at + 1), { ballot: ballot(1), entry: command('x') });
    }
    const records = [...log.records(slot(1), log.lastSlot, 1)];
    const found = read(records);
    expect(found.begun).toMatchObject({ since: 4, configuration: { number: 3 } });
    // Of what was promised before a seal nothing is left.
    expect(found).toMatchObject({ promised: ballot(1), chosenThrough: 4 });
    expect(found.log.lastSlot).toBe(5);
  });

  it('takes what lies behind a snapshot of a later configuration for void', () => {
    const members = [{ id: replicaId(1), incarnation: 'disk' }];
    const begun: Begun = {
      since: slot(2),
      configuration: { number: 2, members, quorums: { kind: 'majority' } },
    };
    const found = replay([accepted(5, 1, 'abcdef')], { through: slot(3), begun }, BALLOT_ZERO, maxBallot);
    expect(found).toMatchObject({ begun, unrecorded: true, promised: BALLOT_ZERO, chosenThrough: 3 });
    expect(found.log.lastSlot).toBe(3);
  });
});

describe('replaying the records of a disk', () => {
  it('finds nothing on an empty one', () => {
    expect(read([])).toMatchObject({ anything: false, promised: BALLOT_ZERO, chosenThrough: NO_SLOT });
  });

  it('knows that something was there even when only a snapshot is', () => {
    expect(read([], 4)).toMatchObject({ anything: true, chosenThrough: 4 });
    expect(read([], 4).log.firstSlot).toBe(5);
  });

  it('takes the highest promise, and an acceptance for one', () => {
    const promised = (round: number): HardRecord => ({ kind: 'promised', ballot: ballot(round) });
    expect(read([promised(3), promised(2)]).promised.round).toBe(3);
    expect(read([promised(1), accepted(4, 1, 'a')]).promised.round).toBe(4);
  });

  it('lets a later acceptance replace an earlier one, and keeps what lies behind it', () => {
    const { log } = read([accepted(1, 1, 'abc'), accepted(2, 2, 'x')]);
    expect(word(log)).toBe('axc');
    expect([1, 2, 3].map((at) => log.at(slot(at))?.ballot.round)).toEqual([1, 2, 1]);
  });

  it('believes what is chosen only as far as the log reaches', () => {
    expect(read([accepted(1, 1, 'ab'), { kind: 'chosen', through: slot(9) }]).chosenThrough).toBe(2);
    expect(read([accepted(1, 1, 'abc'), { kind: 'chosen', through: slot(2) }]).chosenThrough).toBe(2);
  });

  it('skips what the snapshot of the machine covers already', () => {
    const { log, chosenThrough } = read([accepted(1, 1, 'abcd')], 2);
    expect([word(log), log.firstSlot, chosenThrough]).toEqual(['cd', 3, 2]);
  });
});

const shown = ({ ballot: { round }, entry }: AcceptedEntry) => ({ round, text: text(entry) });

describe('the accepted log over its pages', () => {
  it('equals a list of entries, whatever is put, replaced and trimmed', () => {
    const random = seededRandom(7);
    const log = new AcceptedLog();
    let model: { readonly round: number; readonly text: string }[] = [];
    let first = 1;
    for (let step = 0; step < 20_000; step++) {
      const open = Math.min(model.length, 5);
      const index = model.length - Math.floor(random.next() * (open + 1));
      const letters = random.chance(0.001) ? 200_000 : Math.floor(random.next() * 60);
      const round = 1 + Math.floor(step / 900);
      const noop = random.chance(0.1);
      const value = { round, text: noop ? 'noop' : `${step}`.repeat(1 + letters / 5) };
      log.put(slot(first + index), {
        ballot: ballot(round),
        entry: noop ? { kind: 'noop' } : command(value.text),
      });
      model[index] = value;
      if (random.chance(0.002)) {
        const trimmed = Math.floor(random.next() * (model.length + 1));
        log.trimBefore(slot(first + trimmed));
        model = model.slice(trimmed);
        first += trimmed;
      }
    }
    expect([log.firstSlot, log.lastSlot]).toEqual([first, first + model.length - 1]);
    expect([log.at(slot(first - 1)), log.at(slot(first + model.length))]).toEqual([undefined, undefined]);
    expect(log.slice(log.firstSlot, log.lastSlot, Infinity).map(shown)).toEqual(model);
  });

  it('keeps the bytes as they were put', () => {
    const log = new AcceptedLog();
    const payload = Buffer.from('before');
    log.put(slot(1), { ballot: ballot(1), entry: { kind: 'command', payload } });
    log.put(slot(1), { ballot: ballot(2), entry: { kind: 'command', payload } });
    log.put(slot(2), { ballot: ballot(2), entry: { kind: 'command', payload } });
    payload.write('after!');
    expect(word(log)).toBe('beforebefore');
  });

  it('costs little more than the bytes it holds', () => {
    const log = new AcceptedLog();
    const entry = command('x'.repeat(70));
    const before = process.memoryUsage();
    for (let at = 1; at <= 200_000; at++) log.put(slot(at), { ballot: ballot(1), entry });
    const after = process.memoryUsage();
    const bytes = after.arrayBuffers + after.heapUsed - before.arrayBuffers - before.heapUsed;
    // 14 MB of payload. As objects it was 100 MB and more.
    expect(bytes).toBeLessThan(40_000_000);
    expect(log.lastSlot).toBe(200_000);
    // What it says of itself is what it takes; what is trimmed takes nothing.
    expect(log.bytes).toBeGreaterThan(14_000_000);
    expect(log.bytes).toBeLessThan(25_000_000);
    log.trimBefore(slot(190_000));
    expect(log.bytes).toBeLessThan(2_000_000);
  });
});

import { describe, expect, it } from '@jest/globals';
import {
  finished,
  type Int64,
  MalformedBytesError,
  PartedBytes,
  topicId,
} from '../../../src/kernel/index.js';
import { endOf, Ends } from '../../../src/topics/index.js';

const T = topicId('id-t');
const at = (partition: number, offset: Int64) => ({ partition, offset });

describe('the end of a partition', () => {
  it('is the furthest commit of any shard, and 0 where there is none', () => {
    const [one, other] = [new Ends(), new Ends()];
    expect(endOf([one, other], T, 0)).toBe(0);
    one.raise(T, 0, 100);
    other.raise(T, 0, 2n ** 60n);
    other.raise(T, 0, 7);
    other.raise(T, 1, -1);
    expect([endOf([one, other], T, 0), endOf([one, other], T, 1)]).toEqual([2n ** 60n, 0]);
  });

  it('is what a user says when that is further, and goes on with commits', () => {
    const one = new Ends();
    one.raise(T, 0, 100);
    one.say(T, [at(0, 90)], false);
    expect(endOf([one], T, 0)).toBe(100);
    one.say(T, [at(0, 500)], false);
    one.say(T, [at(0, 400)], false);
    expect(endOf([one], T, 0)).toBe(500);
    one.raise(T, 0, 501);
    expect(endOf([one], T, 0)).toBe(501);
  });

  it('goes back where a user sets it back, also while shards do not know of it yet', () => {
    const [facts, other] = [new Ends(), new Ends()];
    other.raise(T, 0, 2n ** 62n);
    other.raise(T, 1, 8);
    facts.raise(T, 0, 40);
    facts.say(T, [at(0, 50)], true);
    facts.setBack(T, [at(0, 50)], 9);
    expect(endOf([facts, other], T, 0)).toBe(50);
    expect(endOf([facts, other], T, 1)).toBe(8);
    other.setBack(T, [at(0, 50)], 9);
    expect(endOf([facts, other], T, 0)).toBe(50);
    other.raise(T, 0, 60);
    expect(endOf([facts, other], T, 0)).toBe(60);
    // The same notice once more, and an older one, change nothing.
    for (const revision of [9, 8]) other.setBack(T, [at(0, 1)], revision);
    expect(endOf([facts, other], T, 0)).toBe(60);
  });

  it('is that of the offsets that remain when the furthest is deleted, and only then', () => {
    const one = new Ends();
    one.raise(T, 0, 100);
    expect([99, 100, 101].map((offset) => one.isReachedBy(T, 0, offset))).toEqual([false, true, true]);
    expect(one.isReachedBy(T, 1, 100)).toBe(false);
    one.lower(T, 0, 30);
    expect(endOf([one], T, 0)).toBe(30);
    // Further than what a user set it back to is no reason to go there again.
    one.lower(T, 0, 1_000);
    one.lower(T, 1, 1_000);
    expect([0, 1].map((partition) => endOf([one], T, partition))).toEqual([30, 0]);
  });

  it('is kept by a snapshot, and forgotten with its topic', () => {
    const one = new Ends();
    one.start([{ topic: T, ...at(3, 2n ** 55n) }]);
    one.say(T, [at(1, 12)], false);
    one.setBack(T, [at(2, 5)], 4);
    const bytes = Buffer.concat([...one.snapshot()]);
    const restored = (from: Buffer): Ends => finished(Ends.restoring(PartedBytes.whole(from)));
    const copy = restored(bytes);
    expect([1, 2, 3].map((partition) => endOf([copy], T, partition))).toEqual([12, 0, 2n ** 55n]);
    expect(copy.seen(T, 2)).toEqual({ offset: 0, revision: 4 });
    expect([copy.started, Buffer.concat([...copy.snapshot()])]).toEqual([true, bytes]);
    for (let cut = 0; cut < bytes.length; cut++)
      expect(() => restored(bytes.subarray(0, cut))).toThrow(MalformedBytesError);
    copy.forget(T);
    expect(endOf([copy], T, 3)).toBe(0);
  });

  it('starts once, with what is committed then', () => {
    const one = new Ends();
    one.raise(T, 0, 1_000);
    one.start([{ topic: T, ...at(0, 10) }]);
    one.start([{ topic: T, ...at(0, 99) }]);
    expect(endOf([one], T, 0)).toBe(10);
  });
});

import { describe, expect, it } from '@jest/globals';
import { monotonicMs, shardId } from '../../../src/kernel/index.js';
import { Pace } from '../../../src/replica/pace.js';

const HEARTBEAT_MS = 40;
const at = monotonicMs;

describe('the pace of a process', () => {
  it('is kept by ticks that are a little late', () => {
    const pace = new Pace(HEARTBEAT_MS, at(0));
    expect([at(20), at(55), at(95)].map((now) => pace.ticked(now))).toEqual([0, 0, 0]);
  });

  it('is lost by the time between two ticks that a tick does not take', () => {
    const pace = new Pace(HEARTBEAT_MS, at(0));
    expect([pace.ticked(at(20)), pace.ticked(at(740)), pace.ticked(at(760))]).toEqual([0, 700, 0]);
  });
});

describe('leadership', () => {
  /** The shards whose turn comes, tick by tick, with the second of each. */
  const turns = (pace: Pace, from: number, forMs: number): readonly (readonly [number, number])[] => {
    const taken: [number, number][] = [];
    for (let now = from + 20; now <= from + forMs; now += 20) {
      pace.ticked(at(now));
      const shard = pace.returning(at(now), 3);
      if (shard !== undefined) taken.push([now / 1_000, shard]);
    }
    return taken;
  };

  it('returns one shard at a time', () => {
    expect(turns(new Pace(HEARTBEAT_MS, at(0)), 0, 4_500)).toEqual([
      [1, 0],
      [2, 1],
      [3, 2],
      [4, 0],
    ]);
  });

  it('returns to nobody while a replica is about to stop', () => {
    const returned = (someoneLeaves: boolean): number => {
      let ticks = 0;
      const tick = ({ keepLeadership = false } = {}): void => void (ticks += keepLeadership ? 0 : 1);
      const host = { shard: shardId(0), step: () => undefined, tick };
      const pace = new Pace(HEARTBEAT_MS, at(0));
      for (let now = 20; now <= 3_500; now += 20)
        pace.tick(at(now), [host], { diskStalls: false, someoneLeaves });
      return ticks;
    };
    expect([returned(false), returned(true)]).toEqual([3, 0]);
  });

  it('stays for ten seconds after a stall', () => {
    const pace = new Pace(HEARTBEAT_MS, at(0));
    pace.ticked(at(500));
    expect(turns(pace, 500, 11_000).map(([second]) => Math.floor(second))).toEqual([10, 11]);
  });
});

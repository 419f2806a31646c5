import { describe, expect, it } from '@jest/globals';
import { monotonicMs, shardId } from '../../../src/kernel/index.js';
import type { Input } from '../../../src/paxos/index.js';
import { Pace } from '../../../src/replica/pace.js';

const HEARTBEAT_MS = 40;
const at = monotonicMs;
const AS_EVER = { diskStalls: false, keeps: false };

/** A process with one shard, and what the shard hears: ticks, and stalls with their length in milliseconds. */
function processOfOne(): {
  readonly heard: (number | 'tick')[];
  readonly tick: (now: number) => void;
  readonly message: (now: number) => void;
} {
  const pace = new Pace(HEARTBEAT_MS, at(0));
  const heard: (number | 'tick')[] = [];
  const host = {
    shard: shardId(0),
    step: (input: Input): void => void (input.kind === 'stalled' && heard.push(input.ms)),
    tick: (): void => void heard.push('tick'),
  };
  return {
    heard,
    tick: (now) => pace.tick(at(now), [host], AS_EVER),
    message: (now) => pace.goesOn(at(now), [host]),
  };
}

describe('the pace of a process', () => {
  it('is kept by ticks that are a little late', () => {
    const { heard, tick, message } = processOfOne();
    for (const now of [20, 55]) tick(now);
    message(90);
    tick(95);
    expect(heard).toEqual(['tick', 'tick', 'tick']);
  });

  it('is lost by the time between two ticks that a tick does not take', () => {
    const { heard, tick } = processOfOne();
    for (const now of [20, 740, 760]) tick(now);
    expect(heard).toEqual(['tick', 700, 'tick', 'tick']);
  });

  it('is known to be lost before a message that comes first after a stall is read, and counts once', () => {
    const { heard, tick, message } = processOfOne();
    tick(20);
    message(740);
    message(741);
    tick(745);
    tick(760);
    expect(heard).toEqual(['tick', 700, 'tick', 'tick']);
  });
});

describe('leadership', () => {
  /** The shards whose turn comes, tick by tick, with the second of each. */
  const turns = (pace: Pace, from: number, forMs: number): readonly (readonly [number, number])[] => {
    const taken: [number, number][] = [];
    let now = from;
    const hosts = [0, 1, 2].map((index) => ({
      shard: shardId(index),
      step: () => undefined,
      tick: ({ keepLeadership = false } = {}) => void (keepLeadership || taken.push([now / 1_000, index])),
    }));
    while ((now += 20) <= from + forMs) pace.tick(at(now), hosts, AS_EVER);
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
    const returned = (keeps: boolean): number => {
      let ticks = 0;
      const tick = ({ keepLeadership = false } = {}): void => void (ticks += keepLeadership ? 0 : 1);
      const host = { shard: shardId(0), step: () => undefined, tick };
      const pace = new Pace(HEARTBEAT_MS, at(0));
      for (let now = 20; now <= 3_500; now += 20) pace.tick(at(now), [host], { ...AS_EVER, keeps });
      return ticks;
    };
    expect([returned(false), returned(true)]).toEqual([3, 0]);
  });

  it('stays for ten seconds after a stall', () => {
    const pace = new Pace(HEARTBEAT_MS, at(0));
    pace.goesOn(at(500), []);
    expect(turns(pace, 500, 11_000).map(([second]) => Math.floor(second))).toEqual([10, 11]);
  });
});

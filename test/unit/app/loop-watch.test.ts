import { beforeEach, describe, expect, it } from '@jest/globals';
import { LoopWatch, PROCESS_CLOCKS, watchLoop } from '../../../src/app/loop-watch.js';
import type { Log } from '../../../src/kernel/index.js';
import { eventually, sleep } from '../../harness/waiting.js';

let lines: string[];
let log: Log;
beforeEach(() => {
  lines = [];
  const write = (message: string): void => void lines.push(message);
  log = { debug: write, info: write, warn: write, error: write };
});

describe('the watch of the loop', () => {
  let now: number;
  let cpu: number;
  let watch: LoopWatch;
  beforeEach(() => {
    now = cpu = 0;
    watch = new LoopWatch(log, { nowMs: () => now, cpuMs: () => cpu });
    watch.begin();
  });
  /** The CPU is busy for so long. */
  const busy = (ms: number): void => {
    now += ms;
    cpu += ms;
  };
  /** A look in time: judges the stall before it. */
  const inTime = (): void => {
    now += 50;
    watch.look();
  };

  it('counts nothing as long as the loop is less than 100 ms late', () => {
    busy(149);
    watch.look();
    inTime();
    expect(watch.stalls()).toEqual([]);
  });

  it('names the work that took most of a stall, work inside other work as its own', () => {
    watch.work('messages', () => {
      busy(30);
      watch.work('apply', () => busy(220));
      busy(20);
    });
    watch.look();
    inTime();
    expect(watch.stalls()).toEqual([{ cause: 'apply', count: 1, ms: 220 }]);
    expect(lines).toEqual(['the event loop stalled for 220 ms: applying commands']);
  });

  it('takes many small pieces of one kind together', () => {
    for (let i = 0; i < 58; i++) watch.work('requests', () => busy(4));
    watch.look();
    inTime();
    expect(watch.stalls()).toEqual([{ cause: 'requests', count: 1, ms: 182 }]);
  });

  it('calls a collection what it is, though it happened in other work and is told a turn later', () => {
    watch.work('apply', () => busy(230));
    watch.look();
    watch.collected(30, 120);
    inTime();
    expect(watch.stalls()).toEqual([{ cause: 'gc', count: 1, ms: 180 }]);
  });

  it('does not blame work for a collection of before or after', () => {
    inTime();
    watch.collected(5, 400);
    watch.work('apply', () => busy(230));
    watch.look();
    watch.collected(281, 400);
    inTime();
    expect(watch.stalls()).toEqual([{ cause: 'apply', count: 1, ms: 180 }]);
  });

  it('knows when the process did not run', () => {
    watch.work('apply', () => {
      now += 500;
      cpu += 5;
    });
    watch.look();
    inTime();
    expect(watch.stalls()).toEqual([{ cause: 'machine', count: 1, ms: 450 }]);
  });

  it('says "other" of what no part of the replica did', () => {
    busy(230);
    watch.look();
    inTime();
    expect(watch.stalls()).toEqual([{ cause: 'other', count: 1, ms: 180 }]);
  });

  it('goes on after work that throws', () => {
    expect(() =>
      watch.work('apply', () => {
        throw new Error('x');
      }),
    ).toThrow('x');
    busy(230);
    watch.look();
    inTime();
    expect(watch.stalls()).toEqual([{ cause: 'other', count: 1, ms: 180 }]);
  });

  describe('tells how long the loop was held', () => {
    /** [times, milliseconds together] by cause, of those that held it. */
    const held = (): Readonly<Record<string, readonly [number, number]>> =>
      Object.fromEntries(
        watch
          .held()
          .filter(({ count }) => count > 0)
          .map(({ cause, count, sum }) => [cause, [count, Math.round(sum * 1_000)]]),
      );

    it('each piece for itself, by what took most of it', () => {
      watch.work('messages', () => {
        watch.work('apply', () => busy(1));
        busy(2);
      });
      watch.work('upkeep', () => {
        busy(2);
        watch.work('apply', () => busy(10));
        watch.work('apply', () => busy(10));
      });
      watch.work('messages', () => busy(1));
      inTime();
      inTime();
      expect(held()).toEqual({ messages: [2, 4], apply: [1, 22] });
    });

    it('a collection for itself, and the work around it without it', () => {
      watch.work('snapshot-cut', () => busy(30));
      watch.look();
      watch.collected(10, 25);
      inTime();
      expect(held()).toEqual({ 'snapshot-cut': [1, 5], gc: [1, 25] });
    });

    it('and blames no work for CPU that the process did not get', () => {
      watch.work('apply', () => {
        now += 40;
        cpu += 2;
      });
      watch.look();
      inTime();
      expect(held()).toEqual({ machine: [1, 40] });
    });

    it('with a bound at 20 ms', () => {
      for (const ms of [19, 20, 21]) watch.work('sweep', () => busy(ms));
      watch.look();
      inTime();
      const { bounds, through, count } = watch.held().find(({ cause }) => cause === 'sweep')!;
      expect([through[bounds.indexOf(0.02)], count]).toEqual([2, 3]);
    });

    it('of what no part of the replica did, when it stalls', () => {
      busy(250);
      watch.look();
      inTime();
      expect(held()).toEqual({ other: [1, 200] });
    });
  });

  it('logs the first stall and then one line in ten seconds, which says how many were left out', () => {
    for (let i = 0; i < 60; i++) {
      watch.work('sweep', () => busy(230));
      watch.look();
      inTime();
    }
    expect(watch.stalls()).toEqual([{ cause: 'sweep', count: 60, ms: 60 * 180 }]);
    expect(lines).toEqual([
      'the event loop stalled for 180 ms: the retention sweep',
      'the event loop stalled for 180 ms: the retention sweep; 35 more since the last such line',
    ]);
  });
});

describe('the loop of a process', () => {
  it('is seen to stall, and by what', async () => {
    const watch = new LoopWatch(log, PROCESS_CLOCKS);
    const end = watchLoop(watch);
    try {
      await sleep(50);
      watch.work('snapshot-load', () => {
        // CPU time, not wall-clock time: beside other load it takes longer.
        const { user } = process.cpuUsage();
        while (process.cpuUsage().user - user < 400_000);
      });
      await eventually('the stall is counted', 30_000, () => watch.stalls().length > 0);
    } finally {
      end();
    }
    // Where the machine is too busy to give this process half of its time, that is what held it.
    expect(['snapshot-load', 'machine']).toContain(watch.stalls()[0]!.cause);
  });
});

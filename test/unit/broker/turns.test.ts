import { describe, expect, it } from '@jest/globals';
import { monotonicMs } from '../../../src/kernel/index.js';
import { Turns } from '../../../src/broker/turns.js';

/** A loop that turns when it is told to. Each piece of work takes a millisecond. */
function loop() {
  let now = 0;
  let ends: (() => void)[] = [];
  const turns = new Turns({
    monotonic: () => monotonicMs(now),
    endOfTurn: (callback) => ends.push(callback),
  });
  const worker = (requests: number, joins = false) => ({
    touched: false,
    joins,
    started: 0,
    flushed: 0,
    resume(): void {
      for (let started = 0; this.started < requests; started++) {
        if (!turns.allow(started)) return turns.later(this);
        this.started++;
        now++;
      }
    },
    flush(): void {
      this.flushed++;
      now++;
    },
  });
  return {
    turns,
    worker,
    /** Milliseconds that the end of the turn took. */
    turn: (): number => {
      const before = now;
      const due = ends;
      ends = [];
      for (const end of due) end();
      return now - before;
    },
    get idle(): boolean {
      return ends.length === 0;
    },
  };
}
const TURN_MS = 8;

describe('turns', () => {
  it('what does not fit into a turn is started in the next ones, and nothing is forgotten', () => {
    const { turns, worker, turn } = loop();
    const workers = Array.from({ length: 100 }, () => worker(3));
    for (const each of workers) each.resume();
    const started = () => workers.reduce((sum, each) => sum + each.started, 0);
    expect(started()).toBe(TURN_MS);
    for (let turned = 1; started() < 300; turned++) {
      expect(turn()).toBe(Math.min(TURN_MS, 300 - turned * TURN_MS));
      // Nobody starts a second batch while others have not started at all.
      const [first] = workers.filter((each) => each.started === 0);
      if (first === undefined) continue;
      expect(workers.slice(workers.indexOf(first)).every((each) => each.started === 0)).toBe(true);
    }
    expect(workers.every((each) => each.started === 3)).toBe(true);
    expect(turns.allow(0)).toBe(true);
  });

  it('a connection with many requests takes its turns among the others, and uses all of a turn when it is alone', () => {
    const { worker, turn } = loop();
    const alone = worker(2 * TURN_MS);
    alone.resume();
    expect(alone.started).toBe(TURN_MS);
    turn();
    expect(alone.started).toBe(2 * TURN_MS);

    const many = Array.from({ length: 100 }, () => worker(50));
    for (const each of many) each.resume();
    const late = worker(1);
    late.resume();
    while (late.started === 0) turn();
    // As many as it had begun before the late one came, and a share or two.
    expect(Math.max(...many.map(({ started }) => started))).toBeLessThanOrEqual(2 * TURN_MS);
    while (many.some(({ started }) => started < 50)) turn();
  });

  it('a heartbeat does not wait for the thousands that join, and they do not wait for ever', () => {
    const { worker, turn } = loop();
    const joining = Array.from({ length: 5_000 }, () => worker(1, true));
    for (const each of joining) each.resume();
    const beating = worker(1);
    beating.resume();
    turn();
    expect(beating.started).toBe(1);

    const flood = Array.from({ length: 50 }, () => worker(1_000));
    for (const each of flood) each.resume();
    const joined = () => joining.filter(({ started }) => started > 0).length;
    const before = joined();
    for (let i = 0; i < 100; i++) turn();
    expect(joined() - before).toBeGreaterThan(50);
  });

  it('answers are written over as many turns as they need', () => {
    const { turns, worker, turn } = loop();
    const workers = Array.from({ length: 50 }, () => worker(0));
    for (const each of workers) {
      turns.touch(each);
      turns.touch(each);
    }
    while (workers.some(({ flushed }) => flushed === 0)) expect(turn()).toBeLessThanOrEqual(TURN_MS);
    expect(workers.every(({ flushed, touched }) => flushed === 1 && !touched)).toBe(true);
  });

  it('a connection that ended is not resumed, and a loop without work rests', () => {
    const made = loop();
    const { turns, worker, turn } = made;
    const [busy, gone] = [worker(TURN_MS), worker(1)] as const;
    busy.resume();
    gone.resume();
    turns.forget(gone);
    for (let i = 0; i < 3; i++) turn();
    expect(gone.started).toBe(0);
    expect(made.idle).toBe(true);
  });
});

import { describe, expect, it } from '@jest/globals';
import { monotonicMs, seededRandom } from '../../../src/kernel/index.js';
import { Deadlines } from '../../../src/replica/deadlines.js';

const at = monotonicMs;

describe('Deadlines', () => {
  it('fires once, not early, and at most one bucket late', () => {
    const deadlines = new Deadlines<string>(at(0), 10);
    deadlines.arm('a', 'a', 95, at(0));
    expect(deadlines.due(at(94))).toEqual([]);
    expect(deadlines.due(at(105))).toEqual([{ key: 'a', what: 'a' }]);
    expect(deadlines.due(at(1000))).toEqual([]);
  });

  it('gives a touched one its full time again', () => {
    const deadlines = new Deadlines<string>(at(0), 10);
    deadlines.arm('a', 'a', 100, at(0));
    expect(deadlines.touch('a', at(90))).toBe(true);
    expect(deadlines.due(at(150))).toEqual([]);
    expect(deadlines.due(at(200))).toHaveLength(1);
    expect(deadlines.touch('a', at(200))).toBe(false);
  });

  it('hurries one that was not touched, never one that was, and makes none later', () => {
    const deadlines = new Deadlines<string>(at(0), 10);
    for (const key of ['silent', 'heard', 'soon'])
      deadlines.arm(key, key, key === 'soon' ? 50 : 1_000, at(0));
    deadlines.touch('heard', at(10));
    for (const key of ['silent', 'heard', 'soon', 'unknown']) deadlines.hurry(key, at(300));
    const firedBy = (now: number) => deadlines.due(at(now)).map(({ key }) => key);
    expect(firedBy(60)).toEqual(['soon']);
    expect(firedBy(299)).toEqual([]);
    expect(firedBy(310)).toEqual(['silent']);
    expect(firedBy(1_020)).toEqual(['heard']);
  });

  it('agrees with a plain list over random arming, touching, cancelling and pauses', () => {
    const random = seededRandom(11);
    for (let round = 0; round < 200; round++) {
      const deadlines = new Deadlines<number>(at(0), 10);
      const model = new Map<string, { after: number; at: number }>();
      let now = 0;
      for (let step = 0; step < 200; step++) {
        const key = `k${random.below(20)}`;
        const entry = model.get(key);
        switch (random.below(4)) {
          case 0: {
            const after = random.below(500);
            deadlines.arm(key, 0, after, at(now));
            model.set(key, { after, at: now + after });
            break;
          }
          case 1:
            deadlines.touch(key, at(now));
            if (entry !== undefined) entry.at = now + entry.after;
            break;
          case 2:
            deadlines.cancel(key);
            model.delete(key);
            break;
          default:
            now += random.chance(0.02) ? 5_000 : random.below(40);
            for (const { key: fired } of deadlines.due(at(now))) {
              expect(model.get(fired)!.at).toBeLessThanOrEqual(now);
              model.delete(fired);
            }
            for (const left of model.values()) expect(left.at).toBeGreaterThan(now - 20);
        }
        expect(deadlines.size).toBe(model.size);
      }
    }
  });
});

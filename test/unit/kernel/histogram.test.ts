import { describe, expect, it } from '@jest/globals';
import { Histogram, quantileBound, readingBetween } from '../../../src/kernel/index.js';

describe('a histogram', () => {
  const histogram = new Histogram([1, 10, 100]);
  const before = histogram.read();
  for (let value = 1; value <= 100; value++) histogram.observe(value);
  const filled = histogram.read();

  it('says below which bound a share of its values is', () => {
    expect(filled).toMatchObject({ through: [1, 10, 100], count: 100, sum: 5_050 });
    expect([0.01, 0.1, 0.11, 1].map((share) => quantileBound(filled, share))).toEqual([1, 10, 100, 100]);
    expect(quantileBound(before, 0.5)).toBeUndefined();
  });

  it('tells what came between two readings', () => {
    histogram.observe(1_000);
    const late = readingBetween(filled, histogram.read());
    expect(late).toMatchObject({ through: [0, 0, 0], count: 1, sum: 1_000 });
    expect(quantileBound(late, 0.5)).toBe(Infinity);
  });
});

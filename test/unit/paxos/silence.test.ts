import { describe, expect, it } from '@jest/globals';
import { monotonicMs } from '../../../src/kernel/index.js';
import { Silence } from '../../../src/paxos/silence.js';

const TIMEOUT_MS = 300;
const at = monotonicMs;

/** Signs of life, so far apart. Returns when the last one came. */
function beats(silence: Silence, from: number, everyMs: number, count: number): number {
  for (let i = 1; i <= count; i++) silence.heard(at(from + i * everyMs));
  return from + count * everyMs;
}

describe('silence', () => {
  it('ends after one election timeout when signs of life come steadily', () => {
    const silence = new Silence(TIMEOUT_MS, at(0));
    expect(silence.endsAt).toBe(300);
    const last = beats(silence, 0, 40, 50);
    expect(silence.endsAt).toBe(last + 300);
  });

  it('ends later where they come late, and never after more than four timeouts', () => {
    const silence = new Silence(TIMEOUT_MS, at(0));
    silence.heard(at(250));
    expect(silence.endsAt).toBe(250 + 750);
    silence.heard(at(900));
    expect(silence.endsAt).toBe(900 + 1_200);
  });

  it('forgets that they came late', () => {
    const silence = new Silence(TIMEOUT_MS, at(0));
    silence.heard(at(250));
    const last = beats(silence, 250, 40, 1_000);
    expect(silence.endsAt).toBe(last + 300);
  });

  it('does not count the time in which this replica did not run', () => {
    const silence = new Silence(TIMEOUT_MS, at(0));
    silence.heard(at(40));
    silence.excuse(5_000, at(5_080));
    expect(silence.endsAt).toBe(5_340);
    silence.heard(at(5_080));
    // Nor does the stall pass for a late sign of life.
    expect(silence.endsAt).toBe(5_380);
  });

  it('lasts no longer after a stall when something was heard before the stall was known', () => {
    const silence = new Silence(TIMEOUT_MS, at(0));
    const last = beats(silence, 0, 40, 50);
    silence.heard(at(last + 60_000));
    silence.excuse(60_000, at(last + 60_001));
    expect(silence.endsAt).toBeLessThanOrEqual(last + 60_001 + 4 * TIMEOUT_MS);
  });

  it('says nothing about whoever is waited for next', () => {
    const silence = new Silence(TIMEOUT_MS, at(0));
    silence.heard(at(10));
    silence.restart(at(2_000));
    expect(silence.endsAt).toBe(2_300);
  });
});

import { describe, expect, it } from '@jest/globals';
import { MemoryStore, Records, StaleEpochError } from '../../../src/locking/index.js';

const SECOND = 2 ** 21;
const at = (iso: string): bigint => BigInt((Date.parse(iso) / 1_000) * SECOND);

/** What a worker is told whose token is `late`, when the store has seen `seen`. */
async function told(seen: bigint, late: bigint): Promise<string> {
  const records = new Records<{ n: number }>(new MemoryStore(), 'r');
  await records.insert('a', { n: 1 }, { fence: { scope: 's', token: seen } });
  const read = await records.read('a');
  const update = records.update(read, { n: 2 }, { fence: { scope: 's', token: late } });
  return update.then(
    () => 'written',
    (error: unknown) => {
      expect(error).toBeInstanceOf(StaleEpochError);
      return (error as Error).message;
    },
  );
}

describe('a stale token', () => {
  it('of the same cluster says who has taken over, and no more', async () => {
    const formed = at('2026-01-01T00:00:00Z');
    expect(await told(formed + 50_000_000n, formed + 7n)).toMatch(/what you did since is not wanted\.$/);
    expect(await told(48n, 31n)).toMatch(/what you did since is not wanted\.$/);
  });

  it('is told apart when the store has seen a token that the cluster of the worker never gave', async () => {
    const message = await told(at('2026-03-01T00:00:00Z') + 5n, at('2026-01-01T00:00:00Z') + 900n);
    expect(message).toContain(
      'The store has seen a token that the cluster of this worker never gave: that cluster was formed at ' +
        '2026-01-01T00:00:00.000Z, and the token is of one formed at 2026-03-01T00:00:00.000Z.',
    );
  });

  it('is none for the owner in a cluster that was made anew', async () => {
    expect(await told(at('2026-01-01T00:00:00Z') + 900n, at('2026-01-01T00:00:01Z') + 5n)).toBe('written');
  });
});

import type { History } from '../history.js';

/** Replicas that applied the same hold the same state, byte for byte; and a snapshot of it restores to the same. */
export function sameLogSameState({ states }: History): string | undefined {
  const seen = new Map<string, (typeof states)[number]>();
  for (const state of states) {
    const { replica, shard, through, crc, crcRestored } = state;
    const where = `the state of shard ${shard} after slot ${through}`;
    if (crc !== crcRestored)
      return `${where} on replica ${replica} is another one once its snapshot is restored`;
    const before = seen.get(`${shard}/${through}`) ?? state;
    seen.set(`${shard}/${through}`, before);
    if (before.crc !== crc) return `${where} differs between replicas ${before.replica} and ${replica}`;
  }
  return undefined;
}

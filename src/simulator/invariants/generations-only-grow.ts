import type { History } from '../history.js';

/** A client that learns of a generation later learns at least the one that others know already. */
export function generationsOnlyGrow({ told }: History): string | undefined {
  const highest = new Map<string, (typeof told)[number]>();
  // In the order of time, as members were told; what two are told at one moment may come in any order.
  for (const item of told) {
    if (item.partitions !== undefined) continue;
    const before = highest.get(item.group);
    if (before !== undefined && before.at < item.at && item.generation < before.generation)
      return `${item.group}: ${item.member} joined generation ${item.generation}, after ${before.member} had joined ${before.generation}`;
    if (before === undefined || item.generation > before.generation) highest.set(item.group, item);
  }
  return undefined;
}

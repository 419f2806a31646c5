import type { History } from '../history.js';

/** Two replicas that have applied the same slots of a shard are in the same state. */
export function appliedLogsAgree({ samples }: History): string | undefined {
  const seen = new Map<string, (typeof samples)[number]>();
  for (const sample of samples) {
    const key = `${sample.shard}/${sample.through}`;
    const before = seen.get(key);
    if (before === undefined) seen.set(key, sample);
    else if (before.hash !== sample.hash)
      return `after slot ${sample.through} of shard ${sample.shard}, replicas ${before.replica} and ${sample.replica} differ`;
  }
  return undefined;
}

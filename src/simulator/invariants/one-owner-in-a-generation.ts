import type { History } from '../history.js';

/** In one generation of a group each partition is given to one member. */
export function oneOwnerInAGeneration({ told }: History): string | undefined {
  const owners = new Map<string, string>();
  for (const { group, generation, member, partitions } of told) {
    for (const partition of partitions ?? []) {
      const key = `partition ${partition} of ${group} in generation ${generation}`;
      const owner = owners.get(key) ?? member;
      if (owner !== member) return `${key} belongs to ${owner} and to ${member}`;
      owners.set(key, member);
    }
  }
  return undefined;
}

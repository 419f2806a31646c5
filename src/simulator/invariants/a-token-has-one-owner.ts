import type { History } from '../history.js';

/** A token of a scope is given to one owner, whichever replica shows it and whenever. */
export function aTokenHasOneOwner({ grants }: History): string | undefined {
  const owners = new Map<string, string>();
  for (const { scope, token, owner } of grants) {
    const key = `token ${token} of ${scope}`;
    const before = owners.get(key) ?? owner;
    if (before !== owner) return `${key} was given to ${before} and to ${owner}`;
    owners.set(key, owner);
  }
  return undefined;
}

import type { History } from '../history.js';

/** A store takes writes of one owner for each token, and that is the one whom the group gave it to. */
export function writesAreByTheOwner({ fenced, grants }: History): string | undefined {
  const owners = new Map<string, string>();
  for (const { scope, token, owner } of grants) owners.set(`${token} of ${scope}`, owner);
  for (const { at, what, scope, token, owner, taken } of fenced) {
    const key = `${token} of ${scope}`;
    const granted = owners.get(key) ?? owner;
    if (taken && granted !== owner)
      return `at ${at} ms a ${what} of ${owner} with token ${key} was taken, which belongs to ${granted}`;
    owners.set(key, granted);
  }
  return undefined;
}

import type { History } from '../history.js';

/** Once a store has taken a write or a seal with a token it takes none with a lower one, however late it arrives. */
export function storesTakeNoOlderToken({ fenced }: History): string | undefined {
  const highest = new Map<string, (typeof fenced)[number]>();
  for (const act of fenced) {
    if (!act.taken) continue;
    const before = highest.get(act.scope);
    if (before !== undefined && act.token < before.token)
      return `at ${act.at} ms a ${act.what} of ${act.owner} in ${act.scope} with token ${act.token} was taken, after one of ${before.owner} with ${before.token}`;
    if (before === undefined || act.token > before.token) highest.set(act.scope, act);
  }
  return undefined;
}

import type { History } from '../history.js';

/** Who has applied more of the log never shows a lower token for a scope. */
export function tokensOnlyGrow({ grants }: History): string | undefined {
  const highest = new Map<string, (typeof grants)[number]>();
  for (const grant of [...grants].sort((a, b) => a.through - b.through)) {
    const before = highest.get(grant.scope);
    if (before !== undefined && grant.token < before.token)
      return `${grant.scope}: token ${before.token} after slot ${before.through}, and ${grant.token} after slot ${grant.through}`;
    if (before === undefined || grant.token > before.token) highest.set(grant.scope, grant);
  }
  return undefined;
}

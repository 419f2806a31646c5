import type { History } from '../history.js';

/** How long a worker of the SDK may go on under a lease that was given to another one: a heartbeat. Milliseconds. */
const BOUND_MS = 250;

/** A worker of the SDK begins no write for what was given to another one: it has ended its lease by itself before. */
export function workersWorkWhatTheyOwn({ worked, grants }: History): string | undefined {
  const newest = new Map<string, (typeof grants)[number][]>();
  for (const grant of grants) {
    const known = newest.get(grant.scope);
    if (known === undefined) newest.set(grant.scope, [grant]);
    else if (grant.token > known.at(-1)!.token) known.push(grant);
  }
  for (const { at, scope, token, owner } of worked) {
    const other = newest.get(scope)?.find((grant) => grant.token > token && grant.owner !== owner);
    if (other !== undefined && at - other.at > BOUND_MS)
      return `at ${at} ms ${owner} works on ${scope} with token ${token}; ${other.owner} has ${other.token} since ${other.at} ms`;
  }
  return undefined;
}

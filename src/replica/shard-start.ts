import { tokensFromNow } from '../machine/index.js';
import type { ShardHost } from './shard-host.js';

/**
 * What a shard is told before its first other command: by a replica that has taken it over, and in a new cluster. In one that was formed by a version without it:
 * when every replica has another.
 */
export function startShard(host: ShardHost, takenOver?: { readonly quietMs: number }): void {
  if (!host.leadership.serving) return;
  if (takenOver !== undefined && host.machine.groups.hasUnanswered)
    host.submit({ kind: 'group.rollCall', quietMs: takenOver.quietMs }, () => undefined);
  const from = tokensFromNow(host.stamp());
  if (host.machine.groups.tokensFrom === 0 && from > 0)
    host.submit({ kind: 'group.startTokens', from }, () => undefined);
  if (!host.machine.ends.started) host.submit({ kind: 'ends.start' }, () => undefined);
}

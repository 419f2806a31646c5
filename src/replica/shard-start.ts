import { tokensFromNow } from '../machine/index.js';
import type { ShardHost } from './shard-host.js';

/**
 * What a shard is told before its first other command in a new cluster. In one that was formed by a version without it:
 * when every replica has another.
 */
export function startShard(host: ShardHost): void {
  if (!host.leadership.serving) return;
  const from = tokensFromNow(host.stamp());
  if (host.machine.groups.tokensFrom === 0 && from > 0)
    host.submit({ kind: 'group.startTokens', from }, () => undefined);
  if (!host.machine.ends.started) host.submit({ kind: 'ends.start' }, () => undefined);
}

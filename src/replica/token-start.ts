import type { WallMs } from '../kernel/index.js';
import { tokensFromNow } from '../machine/index.js';
import type { ShardHost } from './shard-host.js';

/** Before the first command of a new cluster. Later in one that was formed by a version without it: when all have another. */
export function startTokens(host: ShardHost, now: WallMs): void {
  if (!host.leadership.serving || host.machine.groups.tokensFrom !== 0) return;
  const from = tokensFromNow(now);
  if (from > 0) host.submit({ kind: 'group.startTokens', from }, () => undefined);
}

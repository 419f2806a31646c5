import type { ReplicaStatus } from './options.js';
import type { ShardHost } from './shard-host.js';

export const shardStatus = (host: ShardHost): ReplicaStatus['shards'][number] => ({
  ...host.status(),
  shard: host.shard,
  hash: host.machine.hash,
  groups: host.machine.groups.groupCount,
  members: host.machine.groups.memberCount,
  offsets: host.machine.groups.offsetCount,
});

import type { ReplicaStatus } from './options.js';
import type { Peers } from './peers.js';
import type { Transport } from './ports.js';
import type { ShardHost } from './shard-host.js';

export const shardStatus = (host: ShardHost): ReplicaStatus['shards'][number] => ({
  ...host.status(),
  shard: host.shard,
  hash: host.machine.hash,
  groups: host.machine.groups.groupCount,
  members: host.machine.groups.memberCount,
  offsets: host.machine.groups.offsetCount,
  recordBytes: host.machine.registers.recordBytes,
  readsWaiting: host.waiting.reads,
});

/** What waits to be sent to each peer, which version of the protocol its link speaks, and why peers have no link, of those of which it is known. */
export const linksStatus = (
  peers: Peers,
  transport: Transport,
): Pick<ReplicaStatus, 'linkProblems' | 'peerQueues' | 'protocols'> => ({
  peerQueues: peers.status().map(({ id }) => ({ id, bytes: transport.queuedBytes?.(id) ?? 0 })),
  linkProblems: peers.status().flatMap(({ id, up }) => {
    const reason = up ? undefined : transport.problemWith?.(id);
    return reason === undefined ? [] : [{ id, reason }];
  }),
  protocols: peers.status().flatMap(({ id, up }) => {
    const version = up ? transport.protocolWith?.(id) : undefined;
    return version === undefined ? [] : [{ id, version }];
  }),
});

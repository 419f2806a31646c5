import { monotonicMs, replicaId, shardId, wallMs, unwatched } from '../../../src/kernel/index.js';
import { majority, type PaxosOptions } from '../../../src/paxos/index.js';
import type { ApplyPace, Clock, Storage } from '../../../src/replica/index.js';
// Behind the door on purpose: one shard without the replica around it.
import { Measures } from '../../../src/replica/measures.js';
import { ShardHost, type ShardSurroundings } from '../../../src/replica/shard-host.js';
import { PAXOS_SETTINGS } from '../../harness/simulated-world.js';

export const IDS = [1, 2, 3].map(replicaId);
export const ONE_OF_THREE: PaxosOptions = {
  ...PAXOS_SETTINGS,
  self: IDS[0]!,
  configuration: { number: 1, replicas: IDS, quorums: majority(IDS) },
  priority: 1,
  votes: true,
  seed: 1,
  retainedEntries: 0,
};

type Found = ConstructorParameters<typeof ShardHost>[1];

const STILL: Clock = {
  monotonic: () => monotonicMs(0),
  wall: () => wallMs(0),
  after: () => () => undefined,
  endOfTurn: () => undefined,
};

/** Shard 0 on replica 1 of three, with surroundings that do nothing but what `around` says. */
export function oneShard(
  storage: Storage,
  found: Found,
  around: Partial<ShardSurroundings> = {},
  paxos: PaxosOptions = ONE_OF_THREE,
  pace?: ApplyPace,
): ShardHost {
  return new ShardHost({ shard: shardId(0), shards: 1, paxos, ...pace }, found, {
    clock: STILL,
    storage,
    work: unwatched,
    measures: new Measures(STILL),
    send: () => undefined,
    touchTurn: () => undefined,
    later: () => undefined,
    agreedTime: () => undefined,
    allKnow: () => true,
    applied: () => undefined,
    leadershipChanged: () => undefined,
    snapshotNeeded: () => undefined,
    audit: () => undefined,
    differs: () => undefined,
    fatal: (reason) => {
      throw new Error(reason);
    },
    ...around,
  });
}

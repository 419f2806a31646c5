import { describe, expect, it } from '@jest/globals';
import type { AdminSource } from '../../../src/admin/index.js';
import { AdminController } from '../../../src/admin/nest/admin.controller.js';
import { replicaId, type ShardId, shardId } from '../../../src/kernel/index.js';
import { createMachine } from '../../../src/machine/index.js';
import { refusalOf } from './refusal.js';

/** Replica 1 of two, with two shards: it leads none. */
function replicaThatHears(leader: number | undefined, peerUp: boolean): AdminController {
  const views = [0, 1].map((shard) => createMachine({ shard: shardId(shard), shards: 2 }));
  const source: Partial<AdminSource> = {
    self: replicaId(1),
    shards: 2,
    shardOf: () => shardId(1),
    serves: () => false,
    leaderOf: (): ReturnType<AdminSource['leaderOf']> =>
      leader === undefined ? undefined : replicaId(leader),
    view: (shard: ShardId) => views[shard]!,
    status: () =>
      ({ peers: [{ id: replicaId(2), up: peerUp }] }) as unknown as ReturnType<AdminSource['status']>,
  };
  return new AdminController(source as AdminSource);
}

describe('a replica that does not know', () => {
  it.each([
    ['has never met its peers', undefined, false],
    ['hears its peers, and none of them leads', undefined, true],
    ['has lost the leader', 2, false],
  ])('and %s says so: 503, and what was applied only with ?stale', (_, leader, peerUp) => {
    const replica = replicaThatHears(leader, peerUp);
    expect(refusalOf(() => replica.groups())).toMatchObject({ status: 503, title: 'Not known' });
    expect(refusalOf(() => replica.group('g'))).toMatchObject({ status: 503 });
    expect(refusalOf(() => replica.offsets('g'))).toMatchObject({ status: 503 });
    expect(refusalOf(() => replica.rebalances('g'))).toMatchObject({ status: 503 });
    expect(refusalOf(() => replica.topics())).toMatchObject({ status: 503 });
    expect(replica.groups('').groups).toEqual([]);
    expect(replica.topics('').topics).toEqual([]);
    expect(refusalOf(() => replica.group('g', ''))).toMatchObject({ status: 404 });
  });

  it('answers while it hears the leader', () => {
    const replica = replicaThatHears(2, true);
    expect(replica.groups().groups).toEqual([]);
    expect(refusalOf(() => replica.group('g'))).toMatchObject({ status: 404 });
  });
});

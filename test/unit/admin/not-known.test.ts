import { describe, expect, it } from '@jest/globals';
import type { AdminSource } from '../../../src/admin/index.js';
import { AdminController } from '../../../src/admin/nest/admin.controller.js';
import { TopicsController } from '../../../src/admin/nest/topics.controller.js';
import { groupId, replicaId, type ShardId, shardId } from '../../../src/kernel/index.js';
import { createMachine } from '../../../src/machine/index.js';
import type { Refusal } from '../../../src/replica/index.js';

const G = groupId('g');

/** Replica 1 of two, with two shards: it leads none. */
function replicaThatHears(
  leader: number | undefined,
  peerUp: boolean,
  refusal?: Refusal,
  removed: readonly { id: number; incarnation: string }[] = [],
) {
  const views = [0, 1].map((shard) => createMachine({ shard: shardId(shard), shards: 2 }));
  const source: Partial<AdminSource> = {
    self: replicaId(1),
    shards: 2,
    shardOf: () => shardId(1),
    serves: () => false,
    leaderOf: (): ReturnType<AdminSource['leaderOf']> =>
      leader === undefined ? undefined : replicaId(leader),
    view: (shard: ShardId) => views[shard]!,
    readAnywhere: (shard) => Promise.resolve(refusal ?? { kind: 'ok', view: views[shard]! }),
    readAll: () => Promise.resolve(refusal ?? { kind: 'ok', views }),
    replicas: () =>
      ({
        view: { removed, plan: null },
        up: new Map([[replicaId(1), 'disk']]),
      }) as unknown as ReturnType<AdminSource['replicas']>,
    status: () =>
      ({ peers: [{ id: replicaId(2), up: peerUp }] }) as unknown as ReturnType<AdminSource['status']>,
  };
  return {
    replica: new AdminController(source as AdminSource),
    topics: new TopicsController(source as AdminSource),
  };
}

const refusal = (status: number) => ({ response: { status } });

describe('a replica that does not know', () => {
  it.each([
    ['has never met its peers', undefined, false],
    ['hears its peers, and none of them leads', undefined, true],
    ['has lost the leader', 2, false],
  ])('and %s says so: 503, and what was applied only with ?stale', async (_, leader, peerUp) => {
    const { replica, topics } = replicaThatHears(leader, peerUp);
    for (const ask of [
      () => replica.groups(),
      () => replica.group(G),
      () => replica.offsets(G),
      () => replica.rebalances(G),
      () => topics.topics(),
      () => topics.ends('t'),
    ]) {
      await expect(ask()).rejects.toMatchObject({ response: { status: 503, title: 'Not known' } });
    }
    expect((await replica.groups('')).groups).toEqual([]);
    expect((await topics.topics('')).topics).toEqual([]);
    await expect(replica.group(G, '')).rejects.toMatchObject(refusal(404));
    await expect(replica.offsets(G, '')).rejects.toMatchObject(refusal(404));
    await expect(topics.ends('t', '')).rejects.toMatchObject(refusal(404));
  });

  it('since it was removed says that', async () => {
    const ask = (incarnation: string) =>
      replicaThatHears(undefined, false, undefined, [{ id: 1, incarnation }]).topics.topics();
    await expect(ask('disk')).rejects.toMatchObject({
      response: { status: 503, title: 'Removed', detail: expect.stringContaining('Replica 1 was removed') },
    });
    await expect(ask('an earlier disk')).rejects.toMatchObject({ response: { title: 'Not known' } });
  });

  it('answers while it hears the leader', async () => {
    const { replica } = replicaThatHears(2, true);
    expect((await replica.groups()).groups).toEqual([]);
    await expect(replica.group(G)).rejects.toMatchObject(refusal(404));
  });

  it('says so when the leader does not answer', async () => {
    const { replica } = replicaThatHears(2, true, { kind: 'not-leader', leader: replicaId(2) });
    await expect(replica.groups()).rejects.toMatchObject(refusal(503));
    await expect(replica.group(G)).rejects.toMatchObject(refusal(503));
  });
});

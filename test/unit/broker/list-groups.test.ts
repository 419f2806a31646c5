import { describe, expect, it } from '@jest/globals';
import { groupId, type ShardId } from '../../../src/kernel/index.js';
import { bench } from './broker-bench.js';
import { commitOf } from './requests.js';

/** `code` of a ListGroups, and the names in it. */
async function listing() {
  const { coordinator, clock, client } = await bench();
  coordinator.addTopic('tenants', 1);
  const kafka = await client();
  const list = async () => {
    const { errorCode, groups } = await kafka.call(16, 4, { statesFilter: [] });
    return { errorCode, groups: groups.map(({ groupId: name }) => name) };
  };
  for (const group of ['a', 'b', 'c', 'd']) await kafka.call(8, 5, commitOf(group, 'tenants', 1));
  const shardOfA: ShardId = coordinator.shardOf(groupId('a'));
  return { coordinator, clock, list, shardOfA };
}
const NOBODY_KNOWN = { errorCode: 15, groups: [] };

describe('ListGroups', () => {
  it('lists what this replica coordinates while others are known to list the rest', async () => {
    const { coordinator, list, shardOfA } = await listing();
    expect(await list()).toEqual({ errorCode: 0, groups: expect.arrayContaining(['a', 'b', 'c', 'd']) });
    coordinator.leader = (shard) => (shard === shardOfA ? 2 : 1);
    const { errorCode, groups } = await list();
    expect([errorCode, [...groups].sort()]).toEqual([0, ['b', 'c', 'd']]);
  });

  it('answers 15 and no list while a shard has no leader', async () => {
    const { coordinator, list, shardOfA } = await listing();
    coordinator.leader = (shard) => (shard === shardOfA ? undefined : 1);
    expect(await list()).toEqual(NOBODY_KNOWN);
  });

  it('answers 15 while the leader of a shard cannot be heard', async () => {
    const { coordinator, list, shardOfA } = await listing();
    coordinator.leader = (shard) => (shard === shardOfA ? 2 : 1);
    coordinator.addresses = coordinator.addresses.map((each) => ({ ...each, up: each.id !== 2 }));
    expect(await list()).toEqual(NOBODY_KNOWN);
  });

  it('answers 15 right after a shard has changed its leader: two replicas may each believe that the other one leads', async () => {
    const { coordinator, clock, list } = await listing();
    coordinator.moveLead(2);
    expect(await list()).toEqual(NOBODY_KNOWN);
    clock.advance(1_000);
    expect(await list()).toEqual({ errorCode: 0, groups: [] });
  });

  it('answers 14 while this replica leads a shard and does not serve it yet', async () => {
    const { coordinator, list, shardOfA } = await listing();
    coordinator.loading = shardOfA;
    expect(await list()).toEqual({ errorCode: 14, groups: [] });
  });
});

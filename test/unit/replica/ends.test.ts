import { afterEach, describe, expect, it, jest } from '@jest/globals';
import {
  generation,
  type GroupId,
  groupId,
  type Int64,
  memberId,
  type ReplicaId,
  replicaId,
  shardId,
  topicId,
  topicName,
} from '../../../src/kernel/index.js';
import { endOf, type Reply, type TopicCommand } from '../../../src/machine/index.js';
import type { ForwardableCommand, Outcome, ReadAllOutcome } from '../../../src/replica/index.js';
import { SimulatedCluster } from '../../harness/simulated-world.js';

jest.setTimeout(60_000);
const T = topicName('t');
const ID = topicId('id-t');
const SHARDS = 4;
const create: TopicCommand = {
  kind: 'topic.create',
  name: T,
  newId: ID,
  partitions: 3,
  partitionsMax: 100,
};
const commit = (group: GroupId, offset: Int64): ForwardableCommand => ({
  kind: 'group.commit',
  group,
  generation: generation(-1),
  memberId: memberId(''),
  instanceId: null,
  groupNotFoundKnown: true,
  retentionMs: null,
  offsetMetadataBytesMax: 4096,
  offsets: [{ topic: T, topicId: ID, partition: 0, offset, leaderEpoch: -1, metadata: '' }],
});
const say = (offset: Int64, back: boolean): TopicCommand => ({
  kind: 'topic.setEnds',
  name: T,
  ends: [{ partition: 0, offset }],
  back,
});

let cluster: SimulatedCluster;
afterEach(() => expect(cluster.fatal).toEqual([]));
const replica = (id: ReplicaId) => cluster.replicas.get(id)!;
/** A group of a shard. */
const groupIn = (shard: number): GroupId => {
  for (let i = 0; ; i++) if (cluster.any.shardOf(groupId(`g${i}`)) === shard) return groupId(`g${i}`);
};

/** Small steps: an answer is looked at right after it came. */
async function outcome<R>(ask: (done: (outcome: R) => void) => void): Promise<R> {
  let result: R | undefined;
  ask((each) => (result = each));
  for (let i = 0; i < 20_000 && result === undefined; i++) await cluster.time.advance(0.25);
  expect(result).toBeDefined();
  return result!;
}
async function submit(command: ForwardableCommand): Promise<void> {
  const shard = 'group' in command ? cluster.any.shardOf(command.group) : shardId(0);
  const { kind } = await outcome<Outcome<Reply>>((done) => cluster.any.submitAnywhere(shard, command, done));
  expect(kind).toBe('ok');
}
async function endAt(id: ReplicaId): Promise<Int64 | string> {
  const all = await outcome<ReadAllOutcome>((done) => replica(id).readAll(done));
  if (all.kind !== 'ok') return all.kind;
  return endOf(
    all.views.map(({ ends }) => ends),
    ID,
    0,
  );
}
/** Asked in turn, the first of them right after the answer. */
async function endAtAll(): Promise<unknown[]> {
  const ends = [];
  for (const id of cluster.ids) ends.push(await endAt(id));
  return ends;
}

describe('the end of a partition', () => {
  it('is the same at every replica right after a commit, whichever shard the group lives in', async () => {
    cluster = new SimulatedCluster({ shards: SHARDS });
    await cluster.startAll();
    await submit(create);
    expect(await endAtAll()).toEqual([0, 0, 0]);
    for (let shard = 0; shard < SHARDS; shard++) {
      for (const [index, id] of [...cluster.ids, ...cluster.ids].entries()) {
        const offset = 100 * (6 * shard + index + 1);
        await submit(commit(groupIn(shard), offset));
        expect([id, await endAt(id)]).toEqual([id, offset]);
      }
    }
  });

  it('outlives all replicas at once, also behind a snapshot', async () => {
    cluster = new SimulatedCluster({ shards: SHARDS, compactionBytes: 4_096 });
    await cluster.startAll();
    await submit(create);
    await submit(commit(groupIn(3), 500));
    await submit(commit(groupIn(3), 20));
    await submit(say(70, false));
    for (let i = 0; i < 100; i++) await submit(commit(groupIn(1), 30));
    await cluster.time.advance(3_000);
    for (const id of cluster.ids) cluster.kill(id);
    for (const id of cluster.ids) await cluster.start(id);
    await cluster.time.advance(2_000);
    expect(await endAtAll()).toEqual([500, 500, 500]);
  });

  it('is corrected after an absurd commit: set back by a user, at every replica at once', async () => {
    cluster = new SimulatedCluster({ shards: SHARDS });
    await cluster.startAll();
    await submit(create);
    await submit(commit(groupIn(2), 2n ** 62n));
    await submit(say(400, false));
    expect(await endAtAll()).toEqual([2n ** 62n, 2n ** 62n, 2n ** 62n]);
    await submit(say(400, true));
    expect(await endAtAll()).toEqual([400, 400, 400]);
    await cluster.time.advance(1_000);
    await submit(commit(groupIn(2), 410));
    expect(await endAtAll()).toEqual([410, 410, 410]);
  });

  it('is corrected after an absurd commit: that of the others when the offset is deleted', async () => {
    cluster = new SimulatedCluster({ shards: SHARDS });
    await cluster.startAll();
    await submit(create);
    await submit(commit(groupIn(1), 60));
    await submit(commit(groupIn(2), 2n ** 62n));
    const topics = [{ topic: T, partitions: [0] }];
    await submit({ kind: 'group.deleteOffsets', group: groupIn(2), topics });
    expect(await endAtAll()).toEqual([60, 60, 60]);
  });

  it('is not told while a shard has no leader, and again once it has', async () => {
    cluster = new SimulatedCluster({ shards: SHARDS });
    await cluster.startAll();
    await submit(create);
    await submit(commit(groupIn(1), 60));
    const [one, two, three] = cluster.ids as [ReplicaId, ReplicaId, ReplicaId];
    cluster.network.cut(one, two);
    cluster.network.cut(one, three);
    await cluster.time.advance(3_000);
    expect(await endAt(one)).toBe('not-leader');
    expect(await endAt(two)).toBe(60);
    cluster.network.heal();
    await cluster.time.advance(3_000);
    expect(await endAtAll()).toEqual([60, 60, 60]);
  });

  it('is kept by the shards once the last replica knows how, from what is committed then', async () => {
    cluster = new SimulatedCluster({ shards: SHARDS });
    cluster.network.hello = (hello) => {
      if (hello.replicaId !== 3) return hello;
      const { featureLevel: _, level: __, ...older } = hello;
      return older;
    };
    await cluster.startAll();
    await submit(create);
    await submit(commit(groupIn(1), 90));
    await submit(commit(groupIn(1), 80));
    await cluster.time.advance(2_000);
    const started = () =>
      cluster.ids.map((id) => replica(id).peek(cluster.any.shardOf(groupIn(1))).ends.started);
    expect(started()).toEqual([false, false, false]);
    expect(await endAt(replicaId(1))).toBe(90);
    const refused = await outcome<Outcome<Reply>>((done) =>
      cluster.any.submitAnywhere(shardId(0), say(1_000, false), done),
    );
    expect(refused.kind).toBe('overloaded');
    cluster.network.hello = (hello) => hello;
    cluster.kill(replicaId(3));
    await cluster.start(replicaId(3));
    await cluster.time.advance(5_000);
    expect(started()).toEqual([true, true, true]);
    expect(await endAtAll()).toEqual([80, 80, 80]);
  });
});

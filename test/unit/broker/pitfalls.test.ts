import { describe, expect, it } from '@jest/globals';
import { generation, groupId, memberId } from '../../../src/kernel/index.js';
import { API_KEYS, APIS, errorCode, findApi, NO_UUID } from '../../../src/wire/index.js';
import { bench } from './broker-bench.js';
import { turns } from './client.js';
import { joinAnswer } from './fake-coordinator.js';
import { commitOf, endOf, fetchOf, fetchOffsetsOf, heartbeatOf, joinOf, syncOf } from './requests.js';

/** Beyond what a double holds exactly. */
const BIG = 1_850_000_000_000_000_001n;

/** What the answers to real clients must be: a test for each heading of that part of the page. */
describe('docs/clients.md', () => {
  it('#replica-ids: names only listed replicas as coordinator and controller, by stable ids', async () => {
    const { coordinator, client } = await bench();
    coordinator.leader = (shard) => (shard === 0 ? 3 : 2);
    const kafka = await client();
    const metadata = await kafka.call(3, 6, { topics: [] });
    const ids = metadata.brokers.map(({ nodeId }) => nodeId);
    expect(ids).toEqual([1, 2, 3]);
    expect(metadata.controllerId).toBe(3);
    const found = await kafka.call(10, 2, { key: 'billing' });
    expect(ids).toContain(found.nodeId);
    // The leader of the facts dies: the controller must still be one that is listed, and so must every leader.
    coordinator.addTopic('tenants', 12);
    coordinator.addresses = coordinator.addresses.map((each) => ({ ...each, up: each.id !== 3 }));
    const after = await kafka.call(3, 6, { topics: [{ name: 'tenants' }] });
    const left = after.brokers.map(({ nodeId }) => nodeId);
    expect(left).toEqual([1, 2]);
    expect(left).toContain(after.controllerId);
    for (const { leaderId } of after.topics[0]!.partitions) expect(left).toContain(leaderId);
    coordinator.leader = () => 3;
    expect((await kafka.call(10, 2, { key: 'billing' })).errorCode).toBe(15);
  });

  it('#every-replica-answers: answers Metadata and FindCoordinator for every group at a replica that leads nothing', async () => {
    const { coordinator, client } = await bench();
    coordinator.leader = (shard) => (shard % 2 === 0 ? 2 : 3);
    coordinator.addTopic('tenants', 4);
    const kafka = await client();
    const keys = ['a', 'b', 'c', 'd'];
    const { coordinators } = await kafka.call(10, 4, { coordinatorKeys: keys });
    expect(coordinators.map(({ key }) => key)).toEqual(keys);
    expect(new Set(coordinators.map(({ nodeId }) => nodeId))).toEqual(new Set([2, 3]));
    expect(coordinators.every(({ errorCode: code, port }) => code === 0 && port > 9090)).toBe(true);
    expect((await kafka.call(3, 6, { topics: null })).topics).toHaveLength(1);
  });

  it('#cluster-id: gives the same cluster id of 22 characters in every answer that has one', async () => {
    const { coordinator, client } = await bench();
    const kafka = await client();
    const expected = coordinator.clusterId;
    expect(expected).toMatch(/^[A-Za-z0-9_-]{22}$/);
    expect((await kafka.call(3, 6, { topics: [] })).clusterId).toBe(expected);
    expect((await kafka.call(60, 0, { includeClusterAuthorizedOperations: false })).clusterId).toBe(expected);
  });

  it('understands a Fetch that has the id of the topic where its name belongs (@platformatic/kafka 1.35)', async () => {
    const { coordinator, client } = await bench();
    const { id } = coordinator.addTopic('tenants', 1);
    const kafka = await client();
    const { responses } = await kafka.call(1, 12, { ...fetchOf(id), maxWaitMs: 0 });
    expect(responses[0]).toMatchObject({ topic: id, partitions: [{ errorCode: 0 }] });
  });

  it('#held-heartbeats: holds the heartbeat of a client that says that it beats in the background, and of no other', async () => {
    const { client, clock, coordinator } = await bench();
    coordinator.onHeartbeat = () => ({ error: 'NONE', renew: true, steadyForMs: 45_000 });
    const [kafkajs, java] = [await client(), await client()];
    await java.call(18, 3, { clientSoftwareName: 'apache-kafka-java', clientSoftwareVersion: '4.0' });
    expect((await kafkajs.call(12, 3, heartbeatOf('billing'))).errorCode).toBe(0);
    const held = java.call(12, 4, heartbeatOf('billing'));
    expect(await java.silent(held)).toBe(true);
    clock.advance(3_000);
    expect((await held).errorCode).toBe(0);
  });

  it('#held-fetches: holds an empty Fetch for max_wait_ms', async () => {
    const { coordinator, clock, client } = await bench();
    coordinator.addTopic('tenants', 1);
    const kafka = await client();
    const answer = kafka.call(1, 11, fetchOf('tenants'));
    await turns();
    clock.advance(4_999);
    expect(await kafka.silent(answer)).toBe(true);
    clock.advance(1);
    const { responses, errorCode: code, sessionId } = await answer;
    expect({ code, sessionId }).toEqual({ code: 0, sessionId: 0 });
    expect(responses[0]!.partitions[0]).toMatchObject({ errorCode: 0, highWatermark: 7, logStartOffset: 0 });
    expect(responses[0]!.partitions[0]!.records?.length).toBe(0);
  });

  it('#no-error-above-88: sends no error above 88 on a classic API, whatever the replica refuses', async () => {
    const { coordinator, client } = await bench();
    coordinator.addTopic('tenants', 1);
    const kafka = await client();
    for (const kind of ['not-leader', 'overloaded', 'outcome-unknown'] as const) {
      coordinator.onCommand = () => (kind === 'not-leader' ? { kind, leader: undefined } : { kind });
      const codes = [
        (await kafka.call(11, 5, joinOf('g'))).errorCode,
        (await kafka.call(14, 3, syncOf('g'))).errorCode,
        (await kafka.call(13, 3, { groupId: 'g', members: [{ memberId: 'm' }] })).errorCode,
        (await kafka.call(8, 5, commitOf('g', 'tenants', 1))).topics[0]!.partitions[0]!.errorCode,
        (await kafka.call(42, 1, { groupsNames: ['g'] })).results[0]!.errorCode,
        (await kafka.call(47, 0, { groupId: 'g', topics: [] })).errorCode,
        (
          await kafka.call(19, 3, {
            topics: [{ name: 't', numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] }],
          })
        ).topics[0]!.errorCode,
      ];
      for (const code of codes) {
        expect(code).toBeGreaterThan(0);
        expect(code).toBeLessThanOrEqual(88);
        expect(code).not.toBe(errorCode('COORDINATOR_LOAD_IN_PROGRESS'));
      }
    }
  });

  it('#order-of-answers: keeps the order of answers, and lets a parked head block its own connection only', async () => {
    const { coordinator, client } = await bench();
    coordinator.onCommand = (command) =>
      command.kind === 'group.join' ? { kind: 'join-parked', memberId: memberId('m-1') } : undefined;
    const [blocked, other] = [await client(), await client()];
    const join = blocked.call(11, 5, joinOf('billing'));
    const behind = blocked.call(12, 3, heartbeatOf('billing'));
    expect(await blocked.silent(behind)).toBe(true);
    // It was processed all the same, and another connection is not held up.
    expect(coordinator.heartbeats).toHaveLength(1);
    expect((await other.call(12, 3, heartbeatOf('billing'))).errorCode).toBe(0);
    const group = groupId('billing');
    const answer = joinAnswer('m-1', { generation: generation(4) });
    coordinator.tell(group, { kind: 'join-answer', group, memberId: memberId('m-1'), answer });
    expect(await join).toMatchObject({ errorCode: 0, generationId: 4, memberId: 'm-1' });
    expect((await behind).errorCode).toBe(0);
    expect(blocked.order).toEqual([1, 2]);
  });

  it('#no-out-of-range: never answers OFFSET_OUT_OF_RANGE: the log ends at or behind the position asked for', async () => {
    const { coordinator, clock, client } = await bench();
    coordinator.addTopic('tenants', 1);
    const kafka = await client();
    await kafka.call(8, 5, commitOf('g', 'tenants', 100));
    for (const fetchOffset of [0, 7, 100, 1_000_000_007]) {
      const topics = [
        { topic: 'tenants', partitions: [{ partition: 0, fetchOffset, partitionMaxBytes: 1 }] },
      ];
      const answer = kafka.call(1, 11, fetchOf('tenants', 0, { topics }));
      await turns();
      clock.advance(5_000);
      const partition = (await answer).responses[0]!.partitions[0]!;
      expect(partition).toMatchObject({ errorCode: 0, logStartOffset: 0 });
      // Whoever reads to the end (kcat -e) is at the end, wherever it reads.
      expect(partition.highWatermark).toBe(fetchOffset);
      expect(partition.lastStableOffset).toBe(partition.highWatermark);
    }
  });

  it('#ends-of-partitions: ends a partition at the highest offset that any group committed, here or under another leader', async () => {
    const { coordinator, client } = await bench();
    const topic = coordinator.addTopic('tenants', 2);
    const kafka = await client();
    await kafka.call(8, 5, commitOf('first', 'tenants', 41));
    await kafka.call(8, 5, commitOf('second', 'tenants', 17));
    const ends = async () =>
      (await kafka.call(2, 3, endOf('tenants', -1, 2))).topics[0]!.partitions.map(({ offset }) => offset);
    expect(await ends()).toEqual([41, 0]);
    // Under another leader.
    coordinator.leader = () => 2;
    coordinator.ends.raise(topic.id, 1, 99);
    expect(await ends()).toEqual([41, 99]);
    expect((await kafka.call(2, 3, endOf('tenants', -2))).topics[0]!.partitions[0]!.offset).toBe(0);
    expect((await kafka.call(2, 7, endOf('tenants', -3))).topics[0]!.partitions[0]).toMatchObject({
      errorCode: 0,
      offset: -1,
      timestamp: -1,
    });
  });

  it('#ends-of-partitions: says that an end is not known rather than 0, with an error that clients retry', async () => {
    const { coordinator, client } = await bench();
    coordinator.addTopic('tenants', 1);
    coordinator.leader = (shard) => (shard === 2 ? undefined : 1);
    const kafka = await client();
    const codes = [];
    for (const version of [1, 3, 4, 5, 7]) {
      const { topics } = await kafka.call(2, version, endOf('tenants', -1));
      codes.push(topics[0]!.partitions[0]!.errorCode);
    }
    const [leaderNotAvailable, offsetNotAvailable] = [5, 78];
    const [older, newer] = [leaderNotAvailable, offsetNotAvailable];
    expect(codes).toEqual([older, older, older, newer, newer]);
    expect((await kafka.call(2, 3, endOf('tenants', -2))).topics[0]!.partitions[0]).toMatchObject({
      errorCode: 0,
      offset: 0,
    });
  });

  it('carries positions of 64 bits exactly: snowflake ids, nanoseconds, log sequence numbers', async () => {
    const { coordinator, client } = await bench();
    coordinator.addTopic('tenants', 1);
    const kafka = await client();
    for (const version of [2, 5, 8, 9]) {
      const { topics } = await kafka.call(8, version, commitOf('g', 'tenants', BIG));
      expect(topics[0]!.partitions[0]!.errorCode).toBe(0);
    }
    for (const version of [1, 4, 7]) {
      const { topics } = await kafka.call(9, version, fetchOffsetsOf('g', 'tenants'));
      expect(topics[0]!.partitions[0]!.committedOffset).toBe(BIG);
    }
    const ends = await kafka.call(2, 3, endOf('tenants', -1));
    expect(ends.topics[0]!.partitions[0]!.offset).toBe(BIG);
    // A time in nanoseconds: no record is that young.
    const atTime = await kafka.call(2, 3, endOf('tenants', BIG));
    expect(atTime.topics[0]!.partitions[0]).toMatchObject({ errorCode: 0, offset: -1 });
    const topics = [
      { topic: 'tenants', partitions: [{ partition: 0, fetchOffset: BIG, partitionMaxBytes: 1 }] },
    ];
    const fetched = await kafka.call(1, 11, { ...fetchOf('tenants', 0, { topics }), maxWaitMs: 0 });
    expect(fetched.responses[0]!.partitions[0]!.highWatermark).toBe(BIG);
  });

  it('#leader-epochs: gives leader epoch -1, throttle time 0, no API 23 and no aborted transactions', async () => {
    const { coordinator, clock, client } = await bench();
    coordinator.addTopic('tenants', 3);
    const kafka = await client();
    const metadata = await kafka.call(3, 12, { topics: null });
    expect(metadata.throttleTimeMs).toBe(0);
    expect(metadata.topics[0]!.partitions.map(({ leaderEpoch }) => leaderEpoch)).toEqual([-1, -1, -1]);
    const { apiKeys } = await kafka.call(18, 2, {});
    expect(apiKeys.map(({ apiKey }) => apiKey)).not.toContain(23);
    const answer = kafka.call(1, 12, fetchOf('tenants', 0, { isolationLevel: 1 }));
    await turns();
    clock.advance(5_000);
    expect((await answer).responses[0]!.partitions[0]!.abortedTransactions).toEqual([]);
    const listed = await kafka.call(2, 5, endOf('tenants', -1));
    expect(listed.topics[0]!.partitions[0]!.leaderEpoch).toBe(-1);
  });

  it('#topic-ids: makes a new topic id for a topic that is made again', async () => {
    const { client } = await bench();
    const kafka = await client();
    const create = async () => {
      const topics = [
        { name: 'tenants', numPartitions: 2, replicationFactor: -1, assignments: [], configs: [] },
      ];
      return (await kafka.call(19, 7, { topics })).topics[0]!.topicId;
    };
    const first = await create();
    expect((await kafka.call(3, 10, { topics: null })).topics[0]!.topicId).toBe(first);
    await kafka.call(20, 1, { topicNames: ['tenants'], timeoutMs: 1 });
    const second = await create();
    expect(new Set([first, second, NO_UUID]).size).toBe(3);
  });

  it('#subscription-patterns: does not advertise the API whose subscription pattern is null or empty before it is served', async () => {
    const { client } = await bench();
    const kafka = await client();
    const { apiKeys } = await kafka.call(18, 4, {
      clientSoftwareName: 'librdkafka',
      clientSoftwareVersion: '2.12.0',
    });
    expect(apiKeys.map(({ apiKey }) => apiKey)).toEqual(API_KEYS);
    expect(apiKeys.map(({ apiKey }) => apiKey)).not.toContain(68);
  });

  it('#unknown-offsets: tells offsets unknown from offsets never committed, and carries a commit of -1', async () => {
    const { coordinator, client } = await bench();
    coordinator.addTopic('tenants', 1);
    const kafka = await client();
    for (const version of [1, 4, 7]) {
      coordinator.moveLead(2);
      const lost = await kafka.call(9, version, fetchOffsetsOf('fresh', 'tenants'));
      const partition = lost.topics[0]?.partitions[0];
      expect(version === 1 ? partition!.errorCode : lost.errorCode).toBe(16);
      if (version > 1) expect(partition).toBeUndefined();
      coordinator.moveLead(1);
      const never = await kafka.call(9, version, fetchOffsetsOf('fresh', 'tenants'));
      expect(never.errorCode).toBe(0);
      expect(never.topics[0]!.partitions[0]).toMatchObject({ committedOffset: -1, errorCode: 0 });
    }
    await kafka.call(8, 5, commitOf('odd', 'tenants', -1));
    const odd = await kafka.call(9, 4, fetchOffsetsOf('odd', 'tenants'));
    expect(odd.topics[0]!.partitions[0]).toMatchObject({
      committedOffset: -1,
      metadata: 'note',
      errorCode: 0,
    });
  });

  it('#fields-that-move: puts fields where each version has them: OffsetFetch 8, FindCoordinator 4, LeaveGroup 3', async () => {
    const { coordinator, client } = await bench();
    coordinator.addTopic('tenants', 1);
    const kafka = await client();
    await kafka.call(8, 5, commitOf('billing', 'tenants', 5));
    const single = await kafka.call(9, 7, fetchOffsetsOf('billing', 'tenants'));
    expect(single.topics[0]!.partitions[0]!.committedOffset).toBe(5);
    const topics = [{ name: 'tenants', partitionIndexes: [0] }];
    const batch = await kafka.call(9, 8, {
      groups: [
        { groupId: 'billing', topics },
        { groupId: 'other', topics: null },
      ],
    });
    expect(batch.groups.map(({ groupId: group }) => group)).toEqual(['billing', 'other']);
    expect(batch.groups[0]!.topics[0]!.partitions[0]!.committedOffset).toBe(5);
    expect(batch.groups[1]!.topics).toEqual([]);

    expect(await kafka.call(10, 3, { key: 'billing' })).toMatchObject({ errorCode: 0, nodeId: 1 });
    const many = await kafka.call(10, 4, { coordinatorKeys: ['billing'] });
    expect(many.coordinators[0]).toMatchObject({ key: 'billing', nodeId: 1, errorCode: 0 });

    coordinator.onCommand = (command) =>
      command.kind === 'group.leave'
        ? {
            kind: 'leave',
            error: 'NONE',
            members: command.members.map(({ memberId: member, instanceId }) => ({
              memberId: member,
              instanceId,
              error: 'UNKNOWN_MEMBER_ID',
            })),
          }
        : undefined;
    expect((await kafka.call(13, 2, { groupId: 'billing', memberId: 'm-1' })).errorCode).toBe(25);
    const left = await kafka.call(13, 3, { groupId: 'billing', members: [{ memberId: 'm-1' }] });
    expect(left.errorCode).toBe(0);
    expect(left.members).toEqual([{ memberId: 'm-1', groupInstanceId: null, errorCode: 25 }]);
  });

  it('#offsets-of-the-kafkajs-admin: answers a Fetch of a fresh member in time, as the setOffsets of kafkajs waits for it', async () => {
    const { coordinator, clock, client } = await bench();
    coordinator.addTopic('tenants', 1);
    const kafka = await client();
    const { memberId: member } = await kafka.call(11, 5, joinOf('reset'));
    await kafka.call(14, 3, syncOf('reset', { memberId: member }));
    const fetched = kafka.call(1, 11, fetchOf('tenants'));
    await turns();
    clock.advance(5_000);
    expect((await fetched).responses).toHaveLength(1);
    await kafka.call(8, 5, commitOf('reset', 'tenants', 0, { memberId: member }));
    const offsets = await kafka.call(9, 4, fetchOffsetsOf('reset', 'tenants'));
    expect(offsets.topics[0]!.partitions[0]!.committedOffset).toBe(0);
  });

  it('advertises exactly what the registry speaks', async () => {
    const { client } = await bench();
    const { apiKeys, finalizedFeatures, supportedFeatures } = await (
      await client()
    ).call(18, 3, { clientSoftwareName: 'java', clientSoftwareVersion: '4.0' });
    expect(apiKeys).toEqual(
      API_KEYS.map((apiKey) => ({
        apiKey,
        minVersion: APIS[apiKey].minVersion,
        maxVersion: APIS[apiKey].maxVersion,
      })),
    );
    // The feature promises the consumer group protocol: not before its keys are answered.
    expect([68, 69].map(findApi)).toEqual([undefined, undefined]);
    expect([supportedFeatures, finalizedFeatures]).toEqual([[], []]);
  });
});

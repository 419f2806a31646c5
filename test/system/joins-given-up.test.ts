import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Cluster } from '../harness/cluster.js';
import { KafkaConnection } from '../harness/connection.js';
import { encodeSubscription } from '../harness/consumer-protocol.js';
import { eventually } from '../harness/waiting.js';

const WITHIN_MS = 30_000;
/** So long a first rebalance waits for more members: the connection ends before, also on a busy machine. */
const INITIAL_QUIET_MS = 3_000;
/** Sessions outlast the test: nobody is removed because of time. */
const LONG_MS = 600_000;

/** Before version 4 a client learns its member id with the answer, when the barrier opens. */
const VERSIONS = [0, 1, 2, 3] as const;

function joinGroup(connection: KafkaConnection, version: number, groupId: string, memberId = '') {
  return connection.request(11, version, {
    groupId,
    sessionTimeoutMs: LONG_MS,
    rebalanceTimeoutMs: LONG_MS,
    memberId,
    protocolType: 'consumer',
    protocols: [{ name: 'range', metadata: encodeSubscription(['t']) }],
  });
}

describe('a JoinGroup whose client gives it up before the barrier opens', () => {
  let cluster: Cluster;
  let admin: KafkaConnection;
  beforeAll(async () => {
    cluster = await Cluster.start({ replicas: 1, settings: { initialQuietMs: INITIAL_QUIET_MS } });
    admin = await open();
  }, 90_000);
  afterAll(() => cluster.close(), 30_000);

  const open = (): Promise<KafkaConnection> => KafkaConnection.open(cluster.replica(1).kafka);
  const members = (group: string, count: number): Promise<true> =>
    eventually(`${group} has ${count} members`, WITHIN_MS, async () => {
      const { groups } = await admin.request(15, 4, { groups: [group] });
      return groups[0]!.errorCode === 0 && groups[0]!.members.length === count;
    });
  /** Joins, is seen to wait, and loses its connection. */
  async function giveUp(version: number, group: string, membersBefore: number): Promise<void> {
    await members(group, membersBefore);
    const gone = await open();
    const answer = joinGroup(gone, version, group).then(
      () => 'answered',
      () => 'given up',
    );
    await members(group, membersBefore + 1);
    gone.close();
    expect(await answer).toBe('given up');
    await members(group, membersBefore);
  }

  it.each(VERSIONS)(
    'v%i leaves no member in a new group: the next client leads it alone',
    async (version) => {
      const group = `new-${version}`;
      await giveUp(version, group, 0);
      const next = await open();
      const joined = await joinGroup(next, version, group);
      expect(joined).toMatchObject({ errorCode: 0, leader: joined.memberId });
      expect(joined.members.map(({ memberId }) => memberId)).toEqual([joined.memberId]);
      next.close();
    },
    90_000,
  );

  it.each(VERSIONS)(
    'v%i leaves no member in a group that works: its member goes on alone',
    async (version) => {
      const group = `works-${version}`;
      const member = await open();
      const { memberId, generationId } = await joinGroup(member, version, group);
      const assignments = [{ memberId, assignment: Buffer.alloc(0) }];
      await member.request(14, 0, { groupId: group, generationId, memberId, assignments });
      for (let i = 0; i < 3; i++) await giveUp(version, group, 1);
      const again = await joinGroup(member, version, group, memberId);
      expect(again).toMatchObject({ errorCode: 0, leader: memberId });
      expect(again.members.map((each) => each.memberId)).toEqual([memberId]);
      member.close();
    },
    90_000,
  );
});

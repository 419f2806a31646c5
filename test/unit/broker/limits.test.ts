import { describe, expect, it } from '@jest/globals';
import { errorCode } from '../../../src/wire/index.js';
import { bench } from './broker-bench.js';
import { commitOf, joinOf } from './requests.js';

const POLICY_VIOLATION = errorCode('POLICY_VIOLATION');

const newTopics = (...names: string[]) => ({
  topics: names.map((name) => ({
    name,
    numPartitions: 1,
    replicationFactor: -1,
    assignments: [],
    configs: [],
  })),
});

describe('limits of the cluster', () => {
  it('topics beyond topicsMax are refused by name, within one request too', async () => {
    const { coordinator, client } = await bench({ topicsMax: 3 });
    coordinator.addTopic('first', 1);
    const kafka = await client();
    const { topics } = await kafka.call(19, 4, newTopics('first', 'second', 'third', 'fourth'));
    expect(topics.map(({ errorCode: code }) => code)).toEqual([
      errorCode('TOPIC_ALREADY_EXISTS'),
      0,
      0,
      POLICY_VIOLATION,
    ]);
    expect(topics[3]!.errorMessage).toMatch(/the cluster has 3 topics, and 3 is the most.*topicsMax/);
  });

  it('a topic beyond topicsMax is not made by asking for it', async () => {
    const { coordinator, client } = await bench({
      topicsMax: 1,
      autoCreateTopics: { enabled: true, partitions: 2 },
    });
    coordinator.addTopic('first', 1);
    const { topics } = await (
      await client()
    ).call(3, 6, { topics: [{ name: 'first' }, { name: 'second' }], allowAutoTopicCreation: true });
    expect(topics.map(({ errorCode: code }) => code)).toEqual([0, POLICY_VIOLATION]);
    expect(coordinator.commandsOf('topic.create')).toEqual([]);
  });

  it('a member has 200 protocols at most: INVALID_REQUEST', async () => {
    const { coordinator, client } = await bench();
    const kafka = await client();
    const joins = async (count: number): Promise<number> => {
      const protocols = Array.from({ length: count }, (_, i) => ({
        name: `p${i}`,
        metadata: Buffer.alloc(1),
      }));
      return (await kafka.call(11, 5, { ...joinOf('billing'), protocols })).errorCode;
    };
    expect([await joins(201), coordinator.commandsOf('group.join').length]).toEqual([
      errorCode('INVALID_REQUEST'),
      0,
    ]);
    expect([await joins(200), coordinator.commandsOf('group.join').length]).toEqual([0, 1]);
  });

  it('a request for thousands of topics is done a part at a time, whatever becomes of each', async () => {
    const { coordinator, client } = await bench();
    const names = Array.from({ length: 3_000 }, (_, i) => `topic-${i}`);
    let mostWaiting = 0;
    coordinator.onCommand = () => {
      mostWaiting = Math.max(mostWaiting, coordinator.commands.length - coordinator.topics.size);
      return undefined;
    };
    const kafka = await client();
    const made = await kafka.call(19, 4, newTopics(...names));
    expect(made.topics.every(({ errorCode: code }) => code === 0)).toBe(true);
    expect(mostWaiting).toBeLessThanOrEqual(200);
  });

  it('a group beyond groupsMax is not made: POLICY_VIOLATION; one that is there goes on', async () => {
    const { coordinator, client } = await bench();
    coordinator.groupSettings = { ...coordinator.groupSettings, groupsMax: coordinator.shards };
    coordinator.addTopic('tenants', 1);
    const kafka = await client();
    const commit = async (group: string): Promise<number> => {
      const simple = { generationIdOrMemberEpoch: -1, memberId: '' };
      const { topics } = await kafka.call(8, 5, commitOf(group, 'tenants', 7, simple));
      return topics[0]!.partitions[0]!.errorCode;
    };
    expect([await commit('a'), await commit('b'), await commit('a')]).toEqual([0, POLICY_VIOLATION, 0]);
    expect((await kafka.call(11, 5, joinOf('b'))).errorCode).toBe(POLICY_VIOLATION);
    expect((await kafka.call(11, 5, joinOf('a'))).errorCode).toBe(0);
    expect(coordinator.commandsOf('group.join').map(({ group }) => group)).toEqual(['a']);
  });
});

import { describe, expect, it } from '@jest/globals';
import { bench } from './broker-bench.js';
import { commitOf } from './requests.js';

const GROUP_ID_NOT_FOUND = 69;
const UNKNOWN_TOPIC_OR_PARTITION = 3;

describe('a request that names thousands', () => {
  it('DeleteGroups: names that no group has cost no command, and answers keep the order', async () => {
    const { coordinator, client } = await bench();
    coordinator.addTopic('tenants', 1);
    const kafka = await client();
    await kafka.call(8, 5, commitOf('there', 'tenants', 1));
    const missing = Array.from({ length: 5_000 }, (_, i) => `missing-${i}`);
    const groupsNames = [...missing.slice(0, 10), 'there', ...missing.slice(10)];
    const { results } = await kafka.call(42, 1, { groupsNames });
    expect(results.map(({ groupId }) => groupId)).toEqual(groupsNames);
    expect(results.filter(({ errorCode }) => errorCode === 0)).toEqual([{ groupId: 'there', errorCode: 0 }]);
    expect(new Set(results.map(({ errorCode }) => errorCode))).toEqual(new Set([0, GROUP_ID_NOT_FOUND]));
    expect(coordinator.commandsOf('group.delete')).toHaveLength(1);
  });

  it('DeleteGroups: who does not lead a shard says so, for its groups alone', async () => {
    const { coordinator, client } = await bench();
    const kafka = await client();
    coordinator.leader = (shard) => (shard === 0 ? 2 : 1);
    const groupsNames = Array.from({ length: 50 }, (_, i) => `g-${i}`);
    const { results } = await kafka.call(42, 1, { groupsNames });
    expect(new Set(results.map(({ errorCode }) => errorCode))).toEqual(new Set([16, GROUP_ID_NOT_FOUND]));
  });

  it('DeleteTopics: names that no topic has cost no command', async () => {
    const { coordinator, client } = await bench();
    coordinator.addTopic('there', 1);
    const kafka = await client();
    const topicNames = ['there', ...Array.from({ length: 5_000 }, (_, i) => `missing-${i}`)];
    const { responses } = await kafka.call(20, 3, { topicNames, timeoutMs: 1 });
    expect(responses.map(({ name }) => name)).toEqual(topicNames);
    expect(responses[0]).toMatchObject({ errorCode: 0 });
    expect(new Set(responses.slice(1).map(({ errorCode }) => errorCode))).toEqual(
      new Set([UNKNOWN_TOPIC_OR_PARTITION]),
    );
    expect(coordinator.commandsOf('topic.delete')).toHaveLength(1);
  });

  it('LeaveGroup: one command removes 250 members at most', async () => {
    const { coordinator, client } = await bench();
    const kafka = await client();
    const names = Array.from({ length: 1_100 }, (_, i) => `m-${i}`);
    const members = names.map((memberId) => ({ memberId, groupInstanceId: null, reason: null }));
    const answer = await kafka.call(13, 3, { groupId: 'billing', members });
    expect(answer.members.map(({ memberId }) => memberId)).toEqual(names);
    const commands = coordinator.commandsOf('group.leave');
    expect(commands.map((command) => command.members.length)).toEqual([250, 250, 250, 250, 100]);
  });

  it('LeaveGroup: of nobody is answered as one command', async () => {
    const { client } = await bench();
    const kafka = await client();
    expect(await kafka.call(13, 3, { groupId: 'billing', members: [] })).toMatchObject({
      errorCode: 0,
      members: [],
    });
  });
});

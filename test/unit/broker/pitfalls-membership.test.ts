import { describe, expect, it } from '@jest/globals';
import { generation, groupId, memberId, shardId, topicName } from '../../../src/kernel/index.js';
import { bench } from './broker-bench.js';
import { turns } from './client.js';
import { joinAnswer, syncAnswer } from './fake-coordinator.js';
import { commitOf, fetchOffsetsOf, heartbeatOf, joinOf, syncOf } from './requests.js';

/** What the answers to members of groups must be, as headings of docs/clients.md say. */
describe('docs/clients.md', () => {
  it('#lost-leadership: answers parked requests 16 at once when the lead is lost', async () => {
    const { coordinator, broker, client } = await bench();
    coordinator.onCommand = (command) => {
      if (command.kind === 'group.join') return { kind: 'join-parked', memberId: memberId('m-1') };
      if (command.kind === 'group.sync') return { kind: 'sync-parked', memberId: memberId('m-1') };
      return undefined;
    };
    const [joiner, syncer] = [await client(), await client()];
    const join = joiner.call(11, 5, joinOf('billing'));
    const sync = syncer.call(14, 3, syncOf('billing'));
    expect(await joiner.silent(join)).toBe(true);
    expect(broker.snapshot().parked).toEqual({ join: 1, sync: 1, fetch: 0, heartbeat: 0 });
    coordinator.moveLead(2);
    expect((await join).errorCode).toBe(16);
    expect((await sync).errorCode).toBe(16);
    expect(broker.snapshot().parked).toEqual({ join: 0, sync: 0, fetch: 0, heartbeat: 0 });
    // And so is everything that comes after.
    expect((await joiner.call(12, 3, heartbeatOf('billing'))).errorCode).toBe(16);
    expect((await joiner.call(9, 4, fetchOffsetsOf('billing', 'tenants'))).errorCode).toBe(16);
    expect((await joiner.call(15, 2, { groups: ['billing'] })).groups[0]!.errorCode).toBe(16);
  });

  it('#empty-assignment: hands the encoded empty assignment of a follower through, never zero bytes', async () => {
    const { coordinator, client } = await bench();
    const { assignment } = syncAnswer();
    coordinator.onCommand = (command) =>
      command.kind === 'group.sync' ? { kind: 'sync-parked', memberId: memberId('m-1') } : undefined;
    const kafka = await client();
    const sync = kafka.call(14, 3, syncOf('billing'));
    await kafka.silent(sync);
    const group = groupId('billing');
    coordinator.tell(group, {
      kind: 'sync-answer',
      group,
      memberId: memberId('m-1'),
      answer: syncAnswer(),
    });
    expect(Buffer.from((await sync).assignment)).toEqual(Buffer.from(assignment));
  });

  it('#failover: keeps nothing of a member here: after the lead came back its old generation goes on', async () => {
    const { coordinator, client } = await bench();
    coordinator.onHeartbeat = ({ generation }) =>
      generation === 7 ? { error: 'NONE', renew: true } : { error: 'ILLEGAL_GENERATION', renew: false };
    const kafka = await client();
    coordinator.moveLead(2);
    expect((await kafka.call(12, 3, heartbeatOf('billing', 'm-1', 7))).errorCode).toBe(16);
    coordinator.moveLead(1);
    expect((await kafka.call(12, 3, heartbeatOf('billing', 'm-1', 7))).errorCode).toBe(0);
    expect((await kafka.call(12, 3, heartbeatOf('billing', 'm-1', 6))).errorCode).toBe(22);
    expect(coordinator.touched).toEqual(['billing/m-1']);
  });

  it('#failover: tells a JoinGroup that only followed the lead from one that asks for a rebalance', async () => {
    const { coordinator, client } = await bench();
    coordinator.onCommand = () => ({ kind: 'join', answer: joinAnswer('m-1') });
    const kafka = await client();
    const resuming = async (request: Parameters<typeof joinOf>[1]): Promise<boolean | undefined> => {
      await kafka.call(11, 9, joinOf('billing', request));
      const last = coordinator.commands.at(-1)!.command;
      return last.kind === 'group.join' ? last.resuming : undefined;
    };
    coordinator.unheard.add('billing/m-1');
    coordinator.addTopic('tenants', 8);
    coordinator.sharedOut.set(
      'billing/m-1',
      new Map([
        [topicName('tenants'), 8],
        [topicName('late'), 0],
      ]),
    );
    expect(await resuming({ memberId: 'm-1' })).toBe(true);
    expect(await resuming({ memberId: 'm-1', reason: 'rebalance enforced by user' })).toBe(false);
    expect(await resuming({ memberId: '' })).toBe(false);
    expect(await resuming({ memberId: 'm-2' })).toBe(false);
    // A topic that was shared out has grown since: the leader may have come for that.
    coordinator.topics.delete(topicName('tenants'));
    coordinator.addTopic('tenants', 9);
    expect(await resuming({ memberId: 'm-1' })).toBe(false);
    // A topic that did not exist when the partitions were shared out exists now.
    coordinator.topics.delete(topicName('tenants'));
    coordinator.addTopic('tenants', 8);
    expect(await resuming({ memberId: 'm-1' })).toBe(true);
    coordinator.addTopic('late', 1);
    expect(await resuming({ memberId: 'm-1' })).toBe(false);
    coordinator.topics.delete(topicName('late'));
    // Heard since the lead moved, and sent away again because the lease had run out: it comes back for nothing else.
    coordinator.unheard.clear();
    expect(await resuming({ memberId: 'm-1' })).toBe(false);
    coordinator.moveLead(2);
    expect((await kafka.call(12, 3, heartbeatOf('billing', 'm-1', 1))).errorCode).toBe(16);
    coordinator.moveLead(1);
    expect((await kafka.call(12, 3, heartbeatOf('billing', 'm-1', 1))).errorCode).toBe(0);
    expect(await resuming({ memberId: 'm-1' })).toBe(true);
    expect(await resuming({ memberId: 'm-1' })).toBe(false);
    coordinator.unheard.add('billing/m-1');
    // Nobody can tell what the payloads say.
    coordinator.sharedOut.clear();
    expect(await resuming({ memberId: 'm-1' })).toBe(false);
  });

  it('removes a member whose connection ended before it was told its id, and nobody else', async () => {
    const { coordinator, client } = await bench();
    coordinator.onCommand = (command) =>
      command.kind === 'group.join'
        ? { kind: 'join-parked', memberId: command.memberId || command.newMemberId }
        : undefined;
    const left = () => coordinator.commandsOf('group.leave').flatMap(({ members }) => members);
    const giveUp = async (request: Parameters<typeof joinOf>[1]): Promise<void> => {
      const kafka = await client();
      const answer = kafka.call(11, 5, joinOf('billing', request));
      expect(await kafka.silent(answer)).toBe(true);
      await Promise.all([kafka.close(), answer.catch(() => undefined)]);
    };
    await giveUp({ memberId: 'knows-its-id' });
    await giveUp({ memberId: '', groupInstanceId: 'comes-back-by-its-name' });
    await giveUp({ memberId: '' });
    while (left().length === 0) await turns();
    const [unheard] = coordinator.commandsOf('group.join').slice(-1);
    expect(left()).toMatchObject([{ memberId: unheard!.newMemberId, instanceId: null }]);
    // Who was told has an id to leave with.
    coordinator.onCommand = (command) =>
      command.kind === 'group.join' ? { kind: 'join', answer: joinAnswer('told') } : undefined;
    const told = await client();
    await told.call(11, 5, joinOf('billing', { memberId: '' }));
    await told.close();
    await turns();
    expect(left()).toHaveLength(1);
  });

  it('takes a commit of a partition from its owner alone, unless the setting says otherwise', async () => {
    for (const [commitOwnership, code] of [
      ['owner', 22],
      ['kafka', 0],
    ] as const) {
      const { coordinator, client } = await bench({ commitOwnership });
      coordinator.addTopic('tenants', 3);
      coordinator.owners.set('tenants/0', memberId('other')).set('tenants/1', memberId('m-1'));
      const kafka = await client();
      const commit = async (member: object): Promise<number[]> => {
        const [topic] = commitOf('billing', 'tenants', 5).topics;
        const partitions = [0, 1, 2].map((partitionIndex) => ({ ...topic!.partitions[0]!, partitionIndex }));
        const { topics } = await kafka.call(8, 7, {
          ...commitOf('billing', 'tenants', 5),
          topics: [{ ...topic!, partitions }],
          ...member,
        });
        return topics[0]!.partitions.map(({ errorCode: each }) => each);
      };
      expect(await commit({ generationIdOrMemberEpoch: 3, memberId: 'm-1' })).toEqual([code, 0, 0]);
      expect(await commit({ generationIdOrMemberEpoch: -1, memberId: '' })).toEqual([0, 0, 0]);
    }
  });

  it('#deleted-topics: takes a commit of a member for a topic that was deleted, and stores nothing', async () => {
    const { coordinator, client } = await bench();
    coordinator.addTopic('tenants', 1);
    const gone = coordinator.addTopic('gone', 1);
    const kafka = await client();
    const commit = async (topic: string, member: object = {}, version = 9): Promise<number> => {
      const [asked] = commitOf('billing', topic, 5).topics;
      const topics = version < 10 ? [asked!] : [{ ...asked!, name: '', topicId: gone.id }];
      const answer = await kafka.call(8, version, { ...commitOf('billing', topic, 5), topics, ...member });
      return answer.topics[0]!.partitions[0]!.errorCode;
    };
    expect([await commit('gone'), await commit('never-made')]).toEqual([0, 3]);
    coordinator.topics.delete(gone.name);
    coordinator.tell(groupId('billing'), { kind: 'topic-deleted', topic: gone });
    const stored = coordinator.commandsOf('group.commit').length;
    expect([await commit('gone'), await commit('gone', {}, 10)]).toEqual([0, 0]);
    expect(coordinator.commandsOf('group.commit')).toHaveLength(stored);
    // Nobody's progress is at stake when a tool sets an offset, and it must hear that there is no such topic.
    expect(await commit('gone', { generationIdOrMemberEpoch: -1, memberId: '' })).toBe(3);
    // This replica does not know whether the topic was made again.
    coordinator.loading = shardId(0);
    expect(await commit('gone')).toBe(14);
    coordinator.loading = undefined;
    coordinator.addTopic('gone', 1);
    expect(await commit('gone')).toBe(0);
    expect(coordinator.commandsOf('group.commit')).toHaveLength(stored + 1);
  });

  it('renews the session of a member that commits, and of nobody else', async () => {
    const { coordinator, client } = await bench();
    coordinator.addTopic('tenants', 1);
    const kafka = await client();
    const commit = (member: object) => kafka.call(8, 7, { ...commitOf('billing', 'tenants', 5), ...member });
    await commit({ generationIdOrMemberEpoch: 3, memberId: 'm-1' });
    expect(coordinator.touched).toEqual(['billing/m-1']);
    coordinator.onCommand = () => ({ kind: 'commit', error: 'ILLEGAL_GENERATION', errors: [] });
    await commit({ generationIdOrMemberEpoch: 2, memberId: 'm-1' });
    await commit({});
    expect(coordinator.touched).toHaveLength(1);
  });

  it('#join-barrier: answers every parked JoinGroup whose barrier ended, however it ended', async () => {
    const { coordinator, client } = await bench();
    coordinator.onCommand = (command) =>
      command.kind === 'group.join' ? { kind: 'join-parked', memberId: command.memberId } : undefined;
    const [stayer, expired] = [await client(), await client()];
    const group = groupId('billing');
    const stays = stayer.call(11, 5, joinOf('billing', { memberId: 'stays' }));
    const goes = expired.call(11, 5, joinOf('billing', { memberId: 'goes' }));
    await stayer.silent(stays);
    // One command removed a member and thereby ended the barrier for the other.
    coordinator.tell(
      group,
      {
        kind: 'join-answer',
        group,
        memberId: memberId('goes'),
        answer: joinAnswer('goes', { error: 'UNKNOWN_MEMBER_ID', generation: generation(-1) }),
      },
      { kind: 'join-answer', group, memberId: memberId('stays'), answer: joinAnswer('stays') },
    );
    expect((await goes).errorCode).toBe(25);
    expect((await stays).errorCode).toBe(0);
  });

  it('#assignors: tells a group without a common protocol 23', async () => {
    const { coordinator, client } = await bench();
    coordinator.onCommand = () => ({
      kind: 'join',
      answer: joinAnswer('', { error: 'INCONSISTENT_GROUP_PROTOCOL', protocolName: null }),
    });
    const kafka = await client();
    const protocols = [{ name: 'RoundRobinAssigner', metadata: Buffer.alloc(0) }];
    expect((await kafka.call(11, 5, joinOf('billing', { protocols }))).errorCode).toBe(23);
  });

  it('#generation-in-kafkajs: carries the generation in JoinGroup, Heartbeat and OffsetCommit', async () => {
    const { coordinator, client } = await bench();
    coordinator.addTopic('tenants', 1);
    coordinator.onCommand = (command) =>
      command.kind === 'group.join'
        ? { kind: 'join', answer: joinAnswer('m-1', { generation: generation(12) }) }
        : undefined;
    const kafka = await client();
    const { generationId } = await kafka.call(11, 5, joinOf('billing'));
    expect(generationId).toBe(12);
    await kafka.call(12, 3, heartbeatOf('billing', 'm-1', generationId));
    await kafka.call(8, 5, commitOf('billing', 'tenants', 3, { generationIdOrMemberEpoch: generationId }));
    expect(coordinator.heartbeats[0]!.generation).toBe(12);
    expect(coordinator.commandsOf('group.commit')[0]!.generation).toBe(12);
  });
});

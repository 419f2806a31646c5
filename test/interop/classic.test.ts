import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Cluster } from '../harness/cluster.js';
import { addressText } from '../harness/connection.js';
import { eventually } from '../harness/waiting.js';
import {
  confluentKafka,
  describeWith,
  type ForeignClient,
  type ForeignMember,
  kafkajs,
  kcat,
  kcatReadFrom,
  type Scene,
  shared,
} from './clients.js';

const TOPIC = 'tenants';
const PARTITIONS = 6;
const TIMEOUT_MS = 20_000;

describe('classic groups with foreign clients', () => {
  let cluster: Cluster;
  const running: ForeignMember[] = [];

  beforeAll(async () => {
    cluster = await Cluster.start();
    await cluster.createTopic(TOPIC, PARTITIONS);
  }, 60_000);
  afterEach(async () => {
    await Promise.all(running.splice(0).map(({ child }) => child.kill()));
  });
  afterAll(() => cluster.close(), 30_000);

  const sceneOf = (group: string): Scene => ({
    brokers: cluster.bootstrap.map(addressText).join(','),
    group,
    topic: TOPIC,
  });
  const begin = <M extends ForeignMember>(
    client: { start(scene: Scene, name: string): M },
    scene: Scene,
    name: string,
  ): M => {
    const member = client.start(scene, name);
    running.push(member);
    return member;
  };
  /** As replica 1 has applied it; a follower may lag a little. */
  const groupSeen = async (
    group: string,
  ): Promise<{ members: number; generation: number; state: string }> => {
    const response = await fetch(`${cluster.replica(1).http}/groups/${group}`);
    return ((await response.json()) as { group: { members: number; generation: number; state: string } })
      .group;
  };

  const stableWith = (group: string, members: number): Promise<{ generation: number }> =>
    eventually(`${group} is stable with ${members}`, TIMEOUT_MS, async () => {
      const seen = await groupSeen(group);
      return seen.state === 'Stable' && seen.members === members && seen;
    });

  /** Two split the topic, a third joins, one leaves, one is killed. */
  const lifeOf = async (client: ForeignClient): Promise<void> => {
    const scene = sceneOf(`life-of-${client.title}`);
    const anna = begin(client, scene, 'anna');
    const bert = begin(client, scene, 'bert');
    await shared([anna, bert], [3, 3]);
    const cleo = begin(client, scene, 'cleo');
    await shared([anna, bert, cleo], [2, 2, 2]);
    const before = await stableWith(scene.group, 3);
    await anna.leave();
    await shared([bert, cleo], [3, 3]);
    const between = await stableWith(scene.group, 2);
    expect(between.generation).toBeGreaterThan(before.generation);
    await bert.child.kill();
    await shared([cleo], [6]);
    const after = await stableWith(scene.group, 1);
    expect(after.generation).toBeGreaterThan(between.generation);
    await cleo.leave();
    await eventually(
      'the group is empty',
      TIMEOUT_MS,
      async () => (await groupSeen(scene.group)).state === 'Empty',
    );
  };

  for (const client of [kafkajs, confluentKafka, kcat] as readonly ForeignClient[]) {
    describeWith([client], client.title, () => {
      it('splits, takes a third, lets one leave, survives a kill', () => lifeOf(client), 90_000);
    });
  }

  describeWith([kafkajs, confluentKafka], 'offsets', () => {
    it('are committed by kafkajs and read by confluent-kafka, and the other way round', async () => {
      const scene = sceneOf('offsets');
      const ours = begin(kafkajs, scene, 'kafkajs');
      await shared([ours], [6]);
      await ours.commit(1, 41);
      await ours.leave();
      const theirs = begin(confluentKafka, scene, 'confluent');
      await shared([theirs], [6]);
      expect(await theirs.committed(1)).toBe(41);
      await theirs.commit(1, 42);
      await theirs.commit(5, 7);
      await theirs.leave();
      const again = begin(kafkajs, scene, 'kafkajs');
      await shared([again], [6]);
      expect(await again.committed(1)).toBe(42);
      expect(await again.committed(5)).toBe(7);
      expect(await again.committed(0)).toBe(-1);
      await again.leave();
    }, 90_000);
  });

  describeWith([kafkajs, kcat], 'offsets for kcat', () => {
    it('are committed by kafkajs, and kcat reads on from there', async () => {
      const scene = sceneOf('offsets-kcat');
      const ours = begin(kafkajs, scene, 'kafkajs');
      await shared([ours], [6]);
      await ours.commit(3, 1_234);
      await ours.leave();
      const theirs = begin(kcat, scene, 'kcat');
      await shared([theirs], [6]);
      const from = await eventually('kcat reads partition 3', TIMEOUT_MS, () =>
        kcatReadFrom(theirs, TOPIC, 3),
      );
      expect(from).toBe(1_234);
      await theirs.leave();
    }, 60_000);
  });
});

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import type { StatusJson } from '../../src/admin/index.js';
import { Cluster, ROOT } from '../harness/cluster.js';
import { KafkaConnection } from '../harness/connection.js';
import { quorate } from '../harness/quorate-command.js';
import { NO_UUID } from '../../src/wire/index.js';
import { eventually } from '../harness/waiting.js';

jest.setTimeout(120_000);
const GROUP = 'billing';

let cluster: Cluster;
afterEach(async () => {
  await cluster.close();
});
const disk = (id: number, hangs: boolean): void =>
  writeFileSync(
    cluster.replica(id).environment['TROUBLE_FILE']!,
    JSON.stringify({ clockMs: 0, syncMs: 0, hangs }),
  );
const status = async (id: number): Promise<StatusJson> =>
  (await (await fetch(`${cluster.replica(id).http}/status`)).json()) as StatusJson;

describe('a disk whose syncs do not end', () => {
  it('costs its replica the leadership and the vote until they do, and clients are served', async () => {
    cluster = await Cluster.start({
      settings: { shards: 1 },
      nodeFlags: ['--require', join(ROOT, 'test/torture/trouble.cjs')],
      environment: (_, dataDir) => {
        const file = `${dataDir}.trouble`;
        writeFileSync(file, '{"clockMs":0,"syncMs":0,"hangs":false}');
        return { TROUBLE_FILE: file };
      },
    });
    await cluster.createTopic('work', 1);
    const victim = await cluster.settled(GROUP);
    disk(victim, true);
    // A write tells that the disk hangs: an idle replica has nothing to wait for.
    await eventually('a topic is written about while the disk hangs', 60_000, async () => {
      await cluster.createTopic('while-it-hangs', 1);
      return (await status(victim)).reasons.includes('its disk finishes no write');
    });
    const next = await cluster.leaderOf(GROUP, victim);
    await cluster.createTopic('led-by-another', 1);
    // What the victim knows of its disk reaches the others with its next message.
    await eventually('the new leader knows that the victim does not vote', 60_000, async () =>
      (await status(next)).peers.some(({ id, up, votes }) => id === victim && up && !votes),
    );
    expect((await fetch(`${cluster.replica(victim).http}/health/ready`)).status).toBe(503);
    // It is up and does not vote: every partition is under-replicated for Kafka's tools, and the command says so.
    const connection = await KafkaConnection.open(cluster.replica(next).kafka);
    const { topics } = await connection.request(3, 12, {
      topics: [{ topicId: NO_UUID, name: 'work' }],
      allowAutoTopicCreation: false,
      includeTopicAuthorizedOperations: false,
    });
    connection.close();
    const [partition] = topics[0]!.partitions;
    expect(partition).toMatchObject({ offlineReplicas: [] });
    expect([...partition!.replicaNodes].sort()).toEqual([1, 2, 3]);
    expect([...partition!.isrNodes].sort()).toEqual([1, 2, 3].filter((id) => id !== victim));
    const asked = await eventually('the command says that it has no vote', 60_000, async () => {
      const answer = await quorate(cluster, 'status', '--url', cluster.replica(next).http);
      return answer.code === 4 && answer.text;
    });
    expect(asked).toContain(`replica ${victim} follows without a vote; one more failure stops the cluster`);
    disk(victim, false);
    await eventually('it votes again', 60_000, async () => (await status(next)).failuresTolerated === 1);
    await eventually('it is ready again', 60_000, async () => (await status(victim)).ready);
    await eventually('the log said it', 30_000, () =>
      cluster.replica(victim).child.lines.find((line) => /the disk stalls: no write has ended/.test(line)),
    );
  });
});

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Child } from '../harness/child.js';
import { Cluster } from '../harness/cluster.js';
import { KafkaConnection } from '../harness/connection.js';
import { sleep } from '../harness/waiting.js';

const CONNECTIONS = 64;
const LOAD_MS = 20_000;
const TOPIC = 'work';
const OFFSET_COMMIT = 8;

/** A process that keeps one core busy, and ends by itself. */
const burner = (): Child =>
  new Child('burner', process.execPath, [
    '-e',
    `const end = Date.now() + 120_000; while (Date.now() < end);`,
  ]);

describe('under load, on a machine that is busy with something else', () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await Cluster.start();
    await cluster.createTopic(TOPIC, 1);
  }, 120_000);
  afterAll(() => cluster.close(), 60_000);

  it('leadership stays where it is, and no client is sent elsewhere', async () => {
    const groups = Array.from({ length: CONNECTIONS }, (_, i) => `steady-${i}`);
    const clients = await Promise.all(
      groups.map(async (group) => {
        const coordinator = await cluster.settled(group);
        return { group, connection: await KafkaConnection.open(cluster.replica(coordinator).kafka) };
      }),
    );
    const before = await cluster.ballots();
    const burners = [burner(), burner()];
    const answers = new Map<number, number>();
    const until = performance.now() + LOAD_MS;
    try {
      await Promise.all(
        clients.map(async ({ group, connection }) => {
          for (let offset = 1; performance.now() < until; offset++) {
            const { topics } = await connection.request(OFFSET_COMMIT, 5, {
              groupId: group,
              generationIdOrMemberEpoch: -1,
              memberId: '',
              topics: [
                {
                  name: TOPIC,
                  partitions: [{ partitionIndex: 0, committedOffset: offset, committedMetadata: null }],
                },
              ],
            });
            const code = topics[0]?.partitions[0]?.errorCode ?? -1;
            answers.set(code, (answers.get(code) ?? 0) + 1);
          }
        }),
      );
      await sleep(1_000);
    } finally {
      for (const { connection } of clients) connection.close();
      await Promise.all(burners.map((each) => each.kill()));
    }
    console.info(
      `${answers.get(0)} commits in ${LOAD_MS / 1_000} s beside two processes that burn a core each`,
    );
    if ((await cluster.ballots()).join() !== before.join()) cluster.printLogs();
    expect([...answers.keys()]).toEqual([0]);
    expect(await cluster.ballots()).toEqual(before);
  }, 180_000);
});

import { afterEach, describe, expect, it } from '@jest/globals';
import { Cluster } from '../harness/cluster.js';
import { KafkaConnection } from '../harness/connection.js';
import { GroupMember } from '../harness/group-member.js';
import { SmallDisk } from '../harness/small-disk.js';
import { eventually } from '../harness/waiting.js';

const WITHIN_MS = 60_000;
const GROUP = 'billing';
const COORDINATOR_NOT_AVAILABLE = 15;
const DISK_MIB = 32;
/** Left free on a full disk. Bytes. */
const CRUMBS = 16_384;

let cluster: Cluster | undefined;
let disk: SmallDisk | undefined;
afterEach(async () => {
  await cluster?.replica(1).child.kill();
  disk?.unmount();
  await cluster?.close();
});

/** One replica, so that whatever it acknowledged is on this disk alone. */
async function onSmallDisk(): Promise<{ readonly cluster: Cluster; readonly disk: SmallDisk } | undefined> {
  cluster = await Cluster.start({
    replicas: 1,
    settings: { shards: 2, compactionBytes: 1_048_576 },
    environment: (_, dataDir) => {
      disk = SmallDisk.mount(dataDir, DISK_MIB);
      return {};
    },
  });
  if (disk === undefined) {
    console.warn('SKIPPED: a full disk needs a small one, and this process may not mount it (only root may)');
    return undefined;
  }
  await cluster.createTopic('work', 1);
  return { cluster, disk };
}

class Committer {
  readonly #kafka: KafkaConnection;
  acknowledged = 0;
  constructor(kafka: KafkaConnection) {
    this.#kafka = kafka;
  }
  async commit(metadata = ''): Promise<number> {
    const { topics } = await this.#kafka.request(8, 5, {
      groupId: 'offsets',
      generationIdOrMemberEpoch: -1,
      memberId: '',
      topics: [
        {
          name: 'work',
          partitions: [
            { partitionIndex: 0, committedOffset: this.acknowledged + 1, committedMetadata: metadata },
          ],
        },
      ],
    });
    const code = topics[0]!.partitions[0]!.errorCode;
    if (code === 0) this.acknowledged++;
    return code;
  }
  async committed(): Promise<number> {
    const { errorCode, topics } = await this.#kafka.request(9, 5, {
      groupId: 'offsets',
      topics: [{ name: 'work', partitionIndexes: [0] }],
    });
    return errorCode === 0 ? Number(topics[0]!.partitions[0]!.committedOffset) : -errorCode;
  }
}

describe('a replica whose disk gets full', () => {
  it('refuses writes, goes on with heartbeats and reads, and takes writes when there is room again', async () => {
    const scene = await onSmallDisk();
    if (scene === undefined) return;
    const { kafka, child } = scene.cluster.replica(1);
    const member = new GroupMember({
      bootstrap: [kafka],
      group: GROUP,
      topic: 'work',
      partitions: 1,
      sessionTimeoutMs: 60_000,
    });
    await member.start();
    const connection = await KafkaConnection.open(kafka);
    const committer = new Committer(connection);
    for (let i = 0; i < 20; i++) expect(await committer.commit()).toBe(0);
    scene.disk.fill(CRUMBS);
    const refused = await eventually('a write is refused', WITHIN_MS, async () => {
      const code = await committer.commit();
      return code !== 0 && code;
    });
    expect(refused).toBe(COORDINATOR_NOT_AVAILABLE);
    const lines = child.lines.length;
    for (let i = 0; i < 500; i++) expect(await committer.commit()).toBe(COORDINATOR_NOT_AVAILABLE);
    expect(await committer.committed()).toBe(committer.acknowledged);
    expect(await member.heartbeat()).toBe(0);
    const said = (): number => child.lines.filter((line) => /the disk is nearly full/.test(line)).length;
    await eventually('the log says it', WITHIN_MS, () => said() > 0);
    // Five hundred refusals are no lines of the log.
    expect(child.lines.length - lines).toBeLessThan(10);
    expect(said()).toBe(1);
    scene.disk.makeRoom();
    await eventually('a write is taken', WITHIN_MS, async () => (await committer.commit()) === 0);
    expect(await committer.committed()).toBe(committer.acknowledged);
    expect(await member.heartbeat()).toBe(0);
    expect(child.running).toBe(true);
    connection.close();
    await member.abandon();
  }, 120_000);

  it('takes writes until it is full, starts on the full disk, and has all that it acknowledged', async () => {
    const scene = await onSmallDisk();
    if (scene === undefined) return;
    const replica = scene.cluster.replica(1);
    scene.disk.fill(10 * 1024 * 1024);
    const before = new Committer(await KafkaConnection.open(replica.kafka));
    // The log is compacted again and again; something else takes what becomes free.
    const metadata = 'm'.repeat(4_000);
    await eventually(
      'a write is refused',
      WITHIN_MS,
      async () => {
        const code = await before.commit(metadata);
        if (before.acknowledged % 100 === 0)
          scene.disk.fill(Math.max(CRUMBS, scene.disk.freeBytes - 262_144));
        return code === COORDINATOR_NOT_AVAILABLE;
      },
      0,
    );
    await replica.child.kill();
    scene.disk.fill(0);
    scene.cluster.restart(1);
    await scene.cluster.ready(1);
    const after = new Committer(await KafkaConnection.open(replica.kafka));
    await eventually('it serves reads', WITHIN_MS, async () => (await after.committed()) >= 0);
    expect(await after.committed()).toBe(before.acknowledged);
    expect(await after.commit()).toBe(COORDINATOR_NOT_AVAILABLE);
    scene.disk.makeRoom();
    await eventually('a write is taken', WITHIN_MS, async () => (await after.commit()) === 0);
    expect(replica.child.running).toBe(true);
  }, 120_000);
});

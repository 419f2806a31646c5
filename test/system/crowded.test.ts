import { connect, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Cluster, type ReplicaProcess } from '../harness/cluster.js';
import { type Address, KafkaConnection } from '../harness/connection.js';
import { eventually } from '../harness/waiting.js';

const WITHIN_MS = 60_000;
/** Far fewer than come: 288 Kafka and 96 HTTP connections at once. */
const OPEN_FILES_MAX = 512;
const COMERS = 10_000;
const AT_ONCE = 200;
const MIB = 1024 * 1024;

/** Clients that connect and say nothing. Those that are not closed stay open. */
async function crowd({ host, port }: Address): Promise<Socket[]> {
  const open = new Set<Socket>();
  const come = async (): Promise<void> => {
    for (let i = 0; i < COMERS / AT_ONCE; i++) {
      await new Promise<void>((next) => {
        const socket = connect(port, host);
        open.add(socket);
        socket.once('connect', next);
        socket.on('error', () => undefined);
        socket.once('close', () => {
          open.delete(socket);
          next();
        });
      });
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, come));
  return [...open];
}

describe('a replica that may open few files, and to which far more clients come', () => {
  let cluster: Cluster;
  let replica: ReplicaProcess;
  let before: { readonly rss: number; readonly lines: number };
  let crowded: Socket[] = [];
  beforeAll(async () => {
    cluster = await Cluster.start({ replicas: 1, openFilesMax: OPEN_FILES_MAX });
    await cluster.createTopic('work', 1);
    replica = cluster.replica(1);
    before = { rss: replica.child.rssBytes(), lines: replica.child.lines.length };
  }, 2 * WITHIN_MS);
  afterAll(() => cluster.close(), WITHIN_MS);
  afterEach(() => {
    for (const socket of crowded.splice(0)) socket.destroy();
  });

  const commit = async (kafka: KafkaConnection, offset: number): Promise<number> => {
    const { topics } = await kafka.request(8, 5, {
      groupId: 'billing',
      generationIdOrMemberEpoch: -1,
      memberId: '',
      topics: [
        {
          name: 'work',
          partitions: [{ partitionIndex: 0, committedOffset: offset, committedMetadata: null }],
        },
      ],
    });
    return topics[0]!.partitions[0]!.errorCode;
  };
  const bounded = async (says: RegExp): Promise<void> => {
    expect(replica.child.openFiles()).toBeLessThanOrEqual(OPEN_FILES_MAX);
    expect(replica.child.rssBytes()).toBeLessThan(before.rss + 150 * MIB);
    const said = (): string[] => replica.child.lines.slice(before.lines);
    await eventually('the log says it', WITHIN_MS, () => said().find((line) => says.test(line)));
    // Ten in ten seconds of each kind; the machine may take its time.
    expect(said().length).toBeLessThan(200);
  };

  it('goes on with its Kafka clients, lets new ones in, and ends nothing but connections', async () => {
    const kafka = await KafkaConnection.open(replica.kafka);
    expect(await commit(kafka, 1)).toBe(0);
    crowded = await crowd(replica.kafka);
    expect(await commit(kafka, 2)).toBe(0);
    await bounded(/turned .* away: 288 connections are open, which is the most allowed/);
    // The crowd still holds all places: who says nothing for a while loses them to who comes.
    await eventually('a new client is served', WITHIN_MS, async () => {
      try {
        const next = await KafkaConnection.open(replica.kafka);
        const code = await commit(next, 3);
        next.close();
        return code === 0;
      } catch {
        return false;
      }
    });
    expect(await commit(kafka, 4)).toBe(0);
    expect((await fetch(`${replica.http}/health/ready`)).status).toBe(200);
    kafka.close();
  }, 180_000);

  it('goes on with its HTTP clients, and with Kafka clients beside them', async () => {
    const { hostname, port } = new URL(replica.http);
    crowded = await crowd({ host: hostname, port: Number(port) });
    expect((await fetch(`${replica.http}/health/ready`)).status).toBe(200);
    const kafka = await KafkaConnection.open(replica.kafka);
    expect(await commit(kafka, 5)).toBe(0);
    kafka.close();
    await bounded(/closed the HTTP connection of .*: 96 are open, which is the most allowed/);
  }, 180_000);
});

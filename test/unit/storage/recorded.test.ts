import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { groupId, shardId, slot, topicName } from '../../../src/kernel/index.js';
import { type Machine } from '../../../src/machine/index.js';
import { decodeRecord, RecordOrder } from '../../../src/paxos/index.js';
import type { LogRecord, OpenedStorage } from '../../../src/replica/index.js';
import { openFileStorage } from '../../../src/storage/index.js';
import { FrameReader } from '../../../src/transport/framing.js';
import { decodedFrame, type Manifest, type RecordedFrame } from '../../recorded/decoded.js';
import { recoveredMachine } from '../../recorded/recovered.js';

/**
 * What every released version wrote to disk and sent to its peers must stay readable. `npm run record:formats` records
 * the formats of a release; docs/compatibility.md describes them.
 */
const RECORDED = 'test/recorded';
const versions = readdirSync(RECORDED).filter((name) => name.startsWith('v'));
const read = <T>(version: string, name: string): T =>
  JSON.parse(readFileSync(join(RECORDED, version, name), 'utf8')) as T;

describe.each(versions)('what %s recorded', (version) => {
  const manifest = read<Manifest>(version, 'manifest.json');
  let directory: string;
  let opened: OpenedStorage;
  let records: readonly LogRecord[];
  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'quorate-recorded-'));
    cpSync(join(RECORDED, version, 'disk'), directory, { recursive: true });
    opened = await openFileStorage({ directory, segmentBytes: 4_096, zeroAheadBytes: 1_024 });
    records = [...opened.records];
  });
  afterAll(async () => {
    await opened.storage.close();
    rmSync(directory, { recursive: true });
  });
  const machineOf = (shard: number): Promise<Machine> =>
    recoveredMachine(opened, records, shardId(shard), manifest);

  it('opens: several segments, nothing dropped, the identity and a snapshot of each shard', () => {
    expect(opened.condition).toEqual({ kind: 'intact', droppedBytes: 0 });
    expect(readdirSync(directory).filter((name) => name.endsWith('.wal')).length).toBeGreaterThan(2);
    const formedWith = opened.identity?.formedWith ?? {};
    expect(opened.identity).toMatchObject({
      clusterId: 'recorded-cluster-00000',
      replicaId: 1,
      shards: 2,
      incarnation: formedWith['1'],
    });
    expect(Object.keys(formedWith)).toEqual(['1', '2', '3']);
    expect([...opened.snapshots.keys()].sort()).toEqual([0, 1]);
  });

  it('has the records of each shard in an order that makes sense', () => {
    for (const shard of manifest.shards.keys()) {
      const order = new RecordOrder(shardId(shard), opened.snapshots.get(shardId(shard)) ?? slot(0));
      const ofShard = records.filter((record) => record.shard === shard);
      for (const { type, payload } of ofShard) order.add(decodeRecord(type, payload));
      expect(ofShard.length).toBeGreaterThan(10);
    }
  });

  it('leads each shard to the state it had', async () => {
    for (const [shard, { appliedThrough, hash }] of manifest.shards.entries()) {
      const machine = await machineOf(shard);
      expect({ appliedThrough: machine.appliedThrough, hash: machine.hash }).toEqual({
        appliedThrough,
        hash,
      });
      // The log holds entries that the snapshot does not.
      expect(opened.snapshots.get(shardId(shard))).toBeLessThan(appliedThrough);
    }
  });

  it('holds the topics, groups, offsets and records of the run', async () => {
    const machine = await machineOf(0);
    expect(machine.topics.all()).toEqual([
      { name: 'orders', id: '0d0c3c11-5b0a-4c39-9bd4-3c1c4a4a9b01', partitions: 6 },
    ]);
    expect(Array.from(machine.groups.list(), ({ group }) => group)).toEqual(['billing', 'shipping']);
    for (const group of ['billing', 'shipping'].map(groupId)) {
      const offsets = Array.from(
        { length: 6 },
        (_, partition) => machine.groups.committed(group, topicName('orders'), partition)?.offset,
      );
      expect(offsets).toEqual([150, 200, 300, 400, 500, 600]);
      expect(machine.groups.describe(group)?.members).toBe(1);
    }
    expect(machine.registers.get('accounts', '42')).toEqual({
      id: '42',
      version: 2,
      fence: 7n,
      fields: [{ name: 'balance', json: '25' }],
    });
    expect(machine.registers.get('accounts', '43')).toMatchObject({ version: 1, fence: 7n });
    expect((await machineOf(1)).registers.get('books', 'big')?.version).toBeGreaterThan(20);
  });

  it('was said between replicas: every kind of frame is read as it was then', () => {
    const frames = read<readonly RecordedFrame[]>(version, 'peer-frames.json');
    const seen = new Set<string>();
    for (const { bytes, decoded } of frames) {
      const payloads: Buffer[] = [];
      new FrameReader(1_000_000).push(Buffer.from(bytes, 'hex'), (payload) => payloads.push(payload));
      expect(payloads).toHaveLength(1);
      expect(decodedFrame(payloads[0]!)).toEqual(decoded);
      const { link, kind, messages } = decoded as {
        link: string;
        kind?: string;
        messages?: readonly { message: { kind: string } }[];
      };
      seen.add(kind ?? link);
      for (const { message } of messages ?? []) seen.add(message.kind);
    }
    const peer = [
      'hello',
      'forward',
      'forwarded',
      'snapshotOffer',
      'snapshotAsk',
      'snapshotChunk',
      'audit',
      'paxos',
    ];
    const paxos = ['heartbeat', 'heartbeatReply', 'prepare', 'promise', 'accept', 'accepted'];
    expect([...seen]).toEqual(expect.arrayContaining([...peer, ...paxos, 'catchUp', 'chosenEntries']));
  });
});

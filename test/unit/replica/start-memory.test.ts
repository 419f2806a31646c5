import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from '@jest/globals';
import {
  generation,
  groupId,
  memberId,
  shardId,
  slot,
  topicName,
  wallMs,
} from '../../../src/kernel/index.js';
import { type Command, createMachine, encodeCommand } from '../../../src/machine/index.js';
import { encodeRecord } from '../../../src/paxos/index.js';
import type { LogRecord } from '../../../src/replica/index.js';
import { storedMachine } from '../../../src/replica/stored-machine.js';
import { blankDisk, openMemoryStorage } from '../../../src/storage/index.js';
import { join } from '../../harness/joins.js';
import { IDS, oneShard } from './one-shard.js';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const BALLOT = { round: 1, priority: 1, replica: IDS[1]! };
const group = groupId('billing');
const metadata = 'm'.repeat(4_000);
const payloadOf = (command: Command): Buffer => encodeCommand({ at: wallMs(1), command });
const JOIN = payloadOf(
  join(group, 'worker-1', { protocols: [{ name: 'range', metadata: Buffer.alloc(4_000, 1) }] }),
);
const COMMIT = payloadOf({
  kind: 'group.commit',
  group,
  generation: generation(-1),
  memberId: memberId(''),
  instanceId: null,
  groupNotFoundKnown: true,
  retentionMs: null,
  offsetMetadataBytesMax: 4096,
  offsets: [{ topic: topicName('t'), topicId: null, partition: 0, offset: 7, leaderEpoch: -1, metadata }],
});

/** A snapshot of a state, and the accepted command behind it, each as a view of a buffer of its own, as from a disk. */
function onDisk(): {
  readonly snapshot: Buffer;
  readonly segment: ArrayBuffer;
  readonly records: LogRecord[];
} {
  const machine = createMachine({ shard: shardId(0), shards: 1 });
  machine.apply(slot(1), JOIN);
  const accepted = encodeRecord({
    kind: 'accepted',
    ballot: BALLOT,
    firstSlot: slot(2),
    entries: [{ kind: 'command', payload: COMMIT }],
  });
  const segment = new ArrayBuffer(accepted.payload.length);
  new Uint8Array(segment).set(accepted.payload);
  return {
    snapshot: Buffer.from(new Uint8Array(Buffer.concat([...machine.snapshot()])).buffer),
    segment,
    records: [{ shard: shardId(0), type: accepted.type, payload: new Uint8Array(segment) }],
  };
}

it('a shard keeps neither the segments nor the snapshot that it was read from', async () => {
  const { storage } = await openMemoryStorage({ disk: blankDisk(), later: () => undefined });
  const begin = async () => {
    const { snapshot, segment, records } = onDisk();
    const chunks = (async function* () {
      yield await Promise.resolve(snapshot);
    })();
    const readSnapshot = () => Promise.resolve({ through: slot(1), chunks });
    const machine = await storedMachine({ readSnapshot }, { shard: shardId(0), shards: 1 });
    const host = oneShard(storage, { records, machine });
    return { host, snapshot: new WeakRef(snapshot.buffer), segment: new WeakRef(segment) };
  };
  const { host, snapshot, segment } = await begin();
  // A weak reference holds its target until the turn is over.
  await new Promise((resolve) => setImmediate(resolve));
  collectGarbage();
  expect(host.machine.groups.memberCount).toBe(1);
  expect(host.status().lastSlot).toBe(2);
  expect(snapshot.deref()).toBeUndefined();
  expect(segment.deref()).toBeUndefined();
});

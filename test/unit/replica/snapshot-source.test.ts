import { mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { crc32c, monotonicMs, replicaId, shardId, slot, wallMs } from '../../../src/kernel/index.js';
import { decodeFrame, type PeerFrame } from '../../../src/replica/frames.js';
import type { Clock, Storage } from '../../../src/replica/index.js';
import { SnapshotSource } from '../../../src/replica/snapshot-source.js';
import { openFileStorage } from '../../../src/storage/index.js';

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc') as () => void;
/** Twice: the second waits until what the first found is freed. */
function collectGarbage(): void {
  gc();
  gc();
}

const MIB = 1024 * 1024;
const SHARD = shardId(0);
const PEER = replicaId(2);

type Chunk = Extract<PeerFrame, { kind: 'snapshotChunk' }>;

let directory: string;
let storage: Storage;
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'quorate-source-'));
  ({ storage } = await openFileStorage({ directory }));
});
afterEach(async () => {
  await storage.close();
  rmSync(directory, { recursive: true, force: true });
});

/** Different bytes in each piece. */
const piece = (index: number): Buffer => Buffer.alloc(MIB, `${index} of the snapshot `);
function* pieces(count: number): Iterable<Buffer> {
  for (let index = 0; index < count; index++) yield piece(index);
}
const written = (through: number, mib: number): Promise<void> =>
  new Promise((resolve) => storage.writeSnapshot(SHARD, slot(through), pieces(mib), resolve));

/** How many snapshots this process has open, those without a name any more among them. */
const open = (): number =>
  readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith(join(directory, 'snapshot-'));
    } catch {
      return false;
    }
  }).length;

const clock: Clock = {
  monotonic: () => monotonicMs(0),
  wall: () => wallMs(0),
  endOfTurn: (run) => void setImmediate(run),
  after: (_delayMs, run) => {
    const timer = setImmediate(run);
    return () => clearImmediate(timer);
  },
};

/** A source whose link takes what `take` takes. */
const sourceTo = (take: (chunk: Chunk) => boolean, retainedEntries = 0): SnapshotSource => {
  const send = (_to: number, message: Uint8Array): boolean => take(decodeFrame(message) as Chunk);
  return new SnapshotSource({
    ...{ storage, transport: { send }, clock, compactionBytes: MIB, paxos: { retainedEntries } },
    members: { links: () => [{ id: PEER, addresses: [] }] },
  });
};
const of = { shard: SHARD, logBegins: () => slot(1), peerHas: () => slot(0) };
const ask = (until: number, resumed?: Chunk, offset = 0): Extract<PeerFrame, { kind: 'snapshotAsk' }> => {
  const { through, crc } = resumed ?? { through: slot(0), crc: 0 };
  return { kind: 'snapshotAsk', shard: SHARD, through, crc, offset, until, first: true };
};

it('has a few MiB of a snapshot in memory while it sends it', async () => {
  const mib = 48;
  await written(7, mib);
  collectGarbage();
  const before = process.memoryUsage().arrayBuffers;
  let most = 0;
  let crc = 0;
  let at = 0;
  let last: Chunk | undefined;
  const source = sourceTo((chunk) => {
    expect(chunk.offset).toBe(at);
    crc = crc32c(chunk.bytes, crc);
    at += chunk.bytes.length;
    last = { ...chunk, bytes: new Uint8Array() };
    if (at % (16 * MIB) !== 0) return true;
    collectGarbage();
    most = Math.max(most, process.memoryUsage().arrayBuffers - before);
    return true;
  });
  await source.asked(of, PEER, ask(mib * MIB));
  expect(last).toMatchObject({ through: 7, size: mib * MIB, crc });
  expect(at).toBe(mib * MIB);
  expect(most).toBeGreaterThan(0);
  expect(most).toBeLessThan(16 * MIB);
  expect(open()).toBe(0);
}, 60_000);

it('sends the snapshot that it began with, and resumes it, though a newer one has taken its place', async () => {
  await written(7, 4);
  const got: Chunk[] = [];
  const source = sourceTo((chunk) => {
    got.push({ ...chunk, bytes: Buffer.from(chunk.bytes) });
    return true;
  });
  await source.asked(of, PEER, ask(2 * MIB));
  await written(9, 1);
  expect(open()).toBe(1);
  // From the middle of a chunk, before what was sent last.
  await source.asked(of, PEER, ask(4 * MIB, got[0], MIB + 100));
  const rest = got.slice(got.findIndex(({ offset }) => offset === MIB + 100));
  expect(new Set(got.map(({ through }) => through))).toEqual(new Set([slot(7)]));
  const expected = Buffer.concat([piece(1).subarray(100), piece(2), piece(3)]);
  // Jest compares bytes one by one: seconds.
  expect(Buffer.concat(rest.map(({ bytes }) => bytes)).equals(expected)).toBe(true);
  expect(open()).toBe(0);
});

it('waits for a link that is full, and has no snapshot open once it is closed', async () => {
  await written(7, 2);
  let refusals = 0;
  let full: () => void;
  const refused = new Promise<void>((resolve) => (full = resolve));
  const source = sourceTo(() => {
    if (++refusals === 3) full();
    return false;
  });
  const asked = source.asked(of, PEER, ask(2 * MIB));
  await refused;
  expect(open()).toBe(1);
  source.close();
  await asked;
  expect(open()).toBe(0);
});

it('goes on with what it sends when the log is shortened, also where many entries stay anyway', async () => {
  await written(7, 2);
  const got: Chunk[] = [];
  const source = sourceTo((chunk) => got.push(chunk) > 0, 10_000);
  await source.asked(of, PEER, ask(MIB));
  expect(source.keepFrom(of, slot(9))).toBe(8);
  expect(open()).toBe(1);
  await source.asked(of, PEER, { ...ask(2 * MIB, got[0], MIB), first: false });
  expect(open()).toBe(0);
  // It has the snapshot, and what came behind it.
  expect(source.keepFrom({ ...of, peerHas: () => slot(8) }, slot(9))).toBeUndefined();
});

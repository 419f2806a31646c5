import {
  chmodSync,
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { crc32c, replicaId, shardId, type Slot, slot } from '../../../src/kernel/index.js';
import { checkDirectory } from '../../../src/offline/index.js';
import { encodeRecord } from '../../../src/paxos/index.js';
import { HEADER_BYTES, MARKER_BYTES } from '../../../src/storage/format.js';
import {
  opened,
  patchIdentity,
  patchLog,
  patchSnapshot,
  snapshotThrough,
  started,
  written,
} from '../../harness/data-directory.js';

jest.setTimeout(60_000);
const LOG = 'log-0000000001.wal';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'quorate-check-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const path = (name: string): string => join(directory, name);
const used = (): number => readFileSync(path(LOG)).findLastIndex((byte) => byte !== 0) + 1;
function change(name: string, edit: (bytes: Buffer) => void): void {
  const bytes = readFileSync(path(name));
  edit(bytes);
  writeFileSync(path(name), bytes);
}

/** All bytes, names and times of a directory. */
const contents = (): unknown =>
  readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => {
      const file = join(entry.parentPath, entry.name);
      return [file, statSync(file).mtimeMs, readFileSync(file).toString('base64')];
    })
    .sort();

type Outcome = Awaited<ReturnType<typeof started>>;
/** What the check says, in the words of what a start then does. */
const WORDS: Readonly<Record<string, Outcome>> = {
  votes: { standing: 'voter' },
  forms: { standing: 'voter' },
  learns: { standing: 'learner' },
};

/** A damage, and what the check is to say of it. */
const DAMAGES: readonly [string, () => void | Promise<void>, 'sound' | 'damaged' | 'refused'][] = [
  ['nothing', () => undefined, 'sound'],
  ['an empty directory', () => readdirSync(directory).forEach((name) => rmSync(path(name))), 'sound'],
  [
    'a torn tail: its last bytes are missing',
    () => change(LOG, (bytes) => bytes.fill(0, used() - 40)),
    'sound',
  ],
  [
    'a torn tail: bytes of a group without its marker',
    () => change(LOG, (bytes) => bytes.writeUInt32LE(24, used())),
    'sound',
  ],
  ['a segment that was being created', () => writeFileSync(path('log-0000000002.wal.tmp'), 'half'), 'sound'],
  ['a snapshot that was being written', () => writeFileSync(path('snapshot-0-99.tmp'), 'half'), 'sound'],
  [
    'a flipped bit early in the log',
    () => change(LOG, (bytes) => (bytes[HEADER_BYTES + 2 * MARKER_BYTES + 30]! ^= 1)),
    'damaged',
  ],
  ['a flipped bit in the last group', () => change(LOG, (bytes) => (bytes[used() - 100]! ^= 1)), 'damaged'],
  ['a damaged header of the segment', () => change(LOG, (bytes) => (bytes[3]! ^= 1)), 'damaged'],
  ['a log of zeros', () => change(LOG, (bytes) => bytes.fill(0)), 'damaged'],
  ['a log cut to nothing', () => truncateSync(path(LOG), 0), 'damaged'],
  ['no log', () => rmSync(path(LOG)), 'damaged'],
  [
    'a segment of another disk',
    () => patchIdentity(directory, (own) => ({ ...own, incarnation: 'other' })),
    'damaged',
  ],
  [
    'a disk that its cluster was not formed with',
    () => patchIdentity(directory, (own) => ({ ...own, formedWith: { 1: 'another' } })),
    'damaged',
  ],
  ['a second segment without the first', () => cpSync(path(LOG), path('log-0000000003.wal')), 'damaged'],
  ['a log of a newer version', () => newerLog(), 'refused'],
  ['an identity that is no JSON', () => writeFileSync(path('identity.json'), 'x'), 'refused'],
  [
    'an identity with another checksum',
    () => change('identity.json', (bytes) => bytes.write('9', 10)),
    'refused',
  ],
  ['an identity without shards', () => patchIdentity(directory, (own) => ({ ...own, shards: 0 })), 'refused'],
  ['a flipped bit in a snapshot', async () => flipSnapshot(await snapshotThrough(directory)), 'refused'],
  [
    'a snapshot cut short',
    async () => truncateSync(path(`snapshot-0-${await snapshotThrough(directory)}`), 40),
    'refused',
  ],
  [
    'a snapshot of another slot',
    async () => patchSnapshot(directory, await snapshotThrough(directory), 2, 1),
    'refused',
  ],
  [
    'slots that are left out',
    () =>
      patchLog(directory, (record) =>
        record.kind === 'accepted' && record.firstSlot === 2 ? { ...record, firstSlot: slot(90) } : undefined,
      ),
    'refused',
  ],
  [
    'more chosen than accepted',
    () =>
      patchLog(directory, (record) =>
        record.kind === 'chosen' ? { ...record, through: slot(100) } : undefined,
      ),
    'refused',
  ],
];

/** In a group of its own. */
async function acceptOneMore(firstSlot: Slot): Promise<void> {
  const { storage } = await opened(directory);
  const ballot = { round: 9, priority: 1, replica: replicaId(1) };
  const record = encodeRecord({ kind: 'accepted', ballot, firstSlot, entries: [{ kind: 'noop' }] });
  await new Promise<void>((done) => storage.append([{ shard: shardId(0), ...record }], true, done));
  await storage.close();
}
function newerLog(): void {
  change(LOG, (bytes) => {
    bytes.writeUInt32LE(9, 8);
    bytes.writeUInt32LE(crc32c(bytes, 0, 0, 60), 60);
  });
}
function flipSnapshot(through: number): void {
  change(`snapshot-0-${through}`, (bytes) => (bytes[30]! ^= 1));
}

describe('a check of a data directory', () => {
  it.each(DAMAGES)(
    'says of %s what a start then does, and changes nothing',
    async (_what, damage, verdict) => {
      await written(directory);
      await damage();
      const before = contents();
      const found = await checkDirectory(directory);
      expect(contents()).toEqual(before);
      expect(found.verdict).toBe(verdict);
      const outcome = await started(directory);
      if (found.start.does === 'refuses') {
        expect(outcome).toHaveProperty('problem');
        const { problem } = outcome as { readonly problem: string };
        expect(problem).toContain(found.start.why.split('\n', 1)[0]);
      } else expect(outcome).toEqual(WORDS[found.start.does]);
    },
  );

  it('says where a tail was torn off, and where damage begins', async () => {
    await written(directory);
    const end = used();
    change(LOG, (bytes) => bytes.writeUInt32LE(24, end));
    const torn = await checkDirectory(directory);
    expect(torn.log!.tornTail).toEqual({ file: LOG, offset: end, bytes: 1 });
    expect(torn.start.mends).toHaveLength(1);
    const { lastSlot } = torn.shards[0]!.state!;
    await acceptOneMore(slot(lastSlot + 1));
    change(LOG, (bytes) => (bytes[end + 20]! ^= 1));
    const { log, shards } = await checkDirectory(directory);
    const lastSlots = [{ shard: 0, slot: lastSlot }];
    expect(log!.damage).toMatchObject({
      file: LOG,
      offset: end,
      afterRecord: torn.log!.position - 1,
      lastSlots,
    });
    // What a start would find: the snapshot alone.
    expect(shards[0]!.state!.lastSlot).toBe(shards[0]!.snapshot!.slot);
  });

  it('counts records and groups, and applies what is chosen', async () => {
    await written(directory);
    const { log, shards, identity } = await checkDirectory(directory);
    const [segment] = log!.segments;
    expect(segment!.firstRecord + segment!.records + segment!.groups).toBe(log!.position);
    expect(identity).toMatchObject({ replicaId: 1, shards: 1, peers: [] });
    expect(shards).toMatchObject([{ shard: 0, problem: null, state: { groups: 1, offsets: 1 } }]);
  });

  it('works on a directory that may not be written to', async () => {
    await written(directory);
    chmodSync(directory, 0o555);
    try {
      expect((await checkDirectory(directory)).verdict).toBe('sound');
    } finally {
      chmodSync(directory, 0o755);
    }
  });

  it('refuses a directory that a replica runs on, and one that is not there', async () => {
    await written(directory);
    const { storage } = await opened(directory);
    await expect(checkDirectory(directory)).rejects.toThrow(/is in use by process \d+/);
    await storage.close();
    expect((await checkDirectory(directory)).verdict).toBe('sound');
    await expect(checkDirectory(path('nowhere'))).rejects.toThrow('there is no directory');
  });
});

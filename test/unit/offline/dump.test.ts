import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { createProgram } from '../../../src/cli/index.js';
import { replicaId, shardId, slot, wallMs } from '../../../src/kernel/index.js';
import { dumpDirectory, type DumpJson } from '../../../src/offline/index.js';
import { encodeRecord, type HardRecord } from '../../../src/paxos/index.js';
import { commit } from '../../harness/commits.js';
import { opened, written } from '../../harness/data-directory.js';
import { encodeCommand } from '../../../src/machine/index.js';

jest.setTimeout(60_000);
const LOG = 'log-0000000001.wal';

let directory: string;
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'quorate-dump-'));
  await written(directory);
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

async function dumped(selection = {}): Promise<readonly DumpJson[]> {
  const lines: DumpJson[] = [];
  for await (const line of dumpDirectory(directory, selection)) lines.push(line);
  return lines;
}
const kinds = (lines: readonly DumpJson[]): ReadonlySet<string> => new Set(lines.map(({ kind }) => kind));
const commits = (lines: readonly DumpJson[]): readonly unknown[] =>
  lines.flatMap((line) =>
    line.kind === 'accepted' && line.entry.kind === 'command' && line.entry.command.kind === 'group.commit'
      ? [(line.entry.command['offsets'] as readonly { readonly offset: unknown }[])[0]!.offset]
      : [],
  );
async function append(...records: readonly HardRecord[]): Promise<void> {
  const { storage } = await opened(directory);
  const log = records.map((record) => ({ shard: shardId(0), ...encodeRecord(record) }));
  await new Promise<void>((done) => storage.append(log, true, done));
  await storage.close();
}
function change(edit: (bytes: Buffer) => void): void {
  const bytes = readFileSync(join(directory, LOG));
  edit(bytes);
  writeFileSync(join(directory, LOG), bytes);
}

/** The command as it is run. */
async function run(...args: readonly string[]): Promise<{ readonly text: string; readonly code: number }> {
  const lines: string[] = [];
  let code = 0;
  const program = createProgram({
    print: (text) => void lines.push(text),
    fail: (text, of) => {
      lines.push(text);
      code = of;
    },
    exit: (of) => {
      throw new Error(`exit ${of}`);
    },
    version: '0.0.0',
    environmentUrl: undefined,
    terminal: () => undefined,
  });
  await program.parseAsync(['node', 'quorate', 'dump', directory, ...args]);
  return { text: lines.join('\n'), code };
}

describe('quorate dump', () => {
  it('gives every record in its order, with what each command says', async () => {
    const lines = await dumped();
    expect(lines[0]).toMatchObject({ kind: 'identity', replicaId: 1, shards: 1 });
    expect([...kinds(lines)]).toEqual(
      expect.arrayContaining(['snapshot-file', 'segment', 'promised', 'accepted']),
    );
    expect(commits(lines)).toEqual([1, 2, 3, 4, 5]);
    const slots = lines.flatMap((line) => (line.kind === 'accepted' ? [line.slot] : []));
    expect(slots).toEqual(slots.toSorted((a, b) => a - b));
  });

  it('knows every kind of entry and record, and shows large integers and bytes whole', async () => {
    const at = { ballot: { round: 9, priority: 0, replica: replicaId(1) }, firstSlot: slot(50) };
    const members = [{ id: replicaId(1), incarnation: 'a' }];
    const next = { number: 2, members, quorums: { kind: 'majority' } as const };
    const payload = encodeCommand({
      at: wallMs(0),
      command: commit(2n ** 60n, { metadata: 'x'.repeat(500) }),
    });
    await append(
      {
        kind: 'accepted',
        ...at,
        entries: [{ kind: 'noop' }, { kind: 'command', payload }, { kind: 'seal', next }],
      },
      { kind: 'chosen', through: slot(52) },
      { kind: 'snapshot', through: slot(40) },
      { kind: 'configuration', since: slot(52), configuration: next },
      {
        kind: 'accepted',
        ...at,
        firstSlot: slot(53),
        entries: [{ kind: 'command', payload: Buffer.from([77]) }],
      },
    );
    expect((await dumped({ fromSlot: 50 })).slice(-6)).toMatchObject([
      { slot: 50, entry: { kind: 'noop' } },
      { slot: 51, entry: { command: { kind: 'group.commit', offsets: [{ offset: String(2n ** 60n) }] } } },
      { slot: 52, entry: { kind: 'seal', next: { number: 2 } } },
      { kind: 'chosen', through: 52 },
      { kind: 'configuration', since: 52, configuration: { number: 2 } },
      { kind: 'unreadable', slot: 53, why: expect.stringContaining('format 77') as unknown },
    ]);
    const { text, code } = await run();
    expect(code).toBe(1);
    expect(text).toMatch(
      /shard 0 {2}slot 51 {2}9\.\S+ {2}1970-01-01T00:00:00.000Z {2}group\.commit group: "billing", .*\.\.\.\n/,
    );
    expect(text).toMatch(/slot 52 .* seal: next number: 2, /);
    expect(text).toMatch(/slot 53 {2}UNREADABLE: a command of format 77/);
    for (const line of (await run('--json')).text.split('\n').slice(0, -1))
      expect(JSON.parse(line)).toHaveProperty('kind');
  });

  it('prints what is asked for', async () => {
    const slots = (await dumped()).flatMap((line) => (line.kind === 'accepted' ? [line.slot] : []));
    expect(commits(await dumped({ fromSlot: slots.at(-2)! }))).toEqual([4, 5]);
    expect(kinds(await dumped({ shard: 1 }))).toEqual(new Set(['identity', 'segment']));
    const { text, code } = await run('--limit', '3');
    expect([
      text
        .trim()
        .split('\n')
        .filter((line) => line !== '').length,
      code,
    ]).toEqual([3, 0]);
    expect(await run('--shard', 'x')).toMatchObject({ code: 2 });
  });

  it('reads a damaged log up to the damage, and changes nothing', async () => {
    const used = readFileSync(join(directory, LOG)).findLastIndex((byte) => byte !== 0) + 1;
    change((bytes) => (bytes[used - 300]! ^= 1));
    const before = readdirSync(directory).map((name) => readFileSync(join(directory, name)).toString('hex'));
    const lines = await dumped();
    expect(lines.at(-1)).toMatchObject({ kind: 'damage', file: LOG });
    const found = commits(lines);
    expect(found).toEqual([1, 2, 3, 4, 5].slice(0, found.length));
    expect(await run()).toMatchObject({
      code: 1,
      text: expect.stringMatching(/DAMAGE .*, offset \d+: /) as unknown,
    });
    expect(readdirSync(directory).map((name) => readFileSync(join(directory, name)).toString('hex'))).toEqual(
      before,
    );
  });

  it('tells of a torn tail, and of a directory that cannot be read', async () => {
    const used = readFileSync(join(directory, LOG)).findLastIndex((byte) => byte !== 0) + 1;
    change((bytes) => bytes.writeUInt32LE(24, used));
    expect(await run()).toMatchObject({
      code: 0,
      text: expect.stringMatching(/torn tail: \d+ bytes/) as unknown,
    });
    writeFileSync(join(directory, 'identity.json'), 'x');
    expect(await run()).toMatchObject({ code: 5 });
    rmSync(directory, { recursive: true });
    expect(await run()).toMatchObject({
      code: 2,
      text: expect.stringContaining('there is no directory') as unknown,
    });
  });
});

import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A bug planted in a copy of the tree: one text in one file is replaced. */
interface Mutant {
  readonly name: string;
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

const MUTANTS: readonly Mutant[] = [
  {
    name: 'a group is acknowledged before its sync',
    file: 'src/storage/write-ahead-log.ts',
    from: 'fileSystem.datasync(file, (syncError) => {',
    to: '((_: number, go: (e: Error | null) => void) => go(null))(file, (syncError) => {',
  },
  {
    name: 'a leader answers reads without a lease',
    file: 'src/replica/shard-host.ts',
    from: 'if (this.leaseHolds()) return done',
    to: 'if (this.leadership.serving) return done',
  },
  {
    name: 'a lost log keeps its vote',
    file: 'src/storage/file-storage.ts',
    from: '  const incarnation = uuid();\n',
    to: '  const incarnation = identity?.incarnation ?? uuid();\n',
  },
  {
    name: 'what Paxos wants persisted is not',
    file: 'src/replica/shard-host.ts',
    from: 'this.#around.storage.append(records, true,',
    to: 'this.#around.storage.append([], true,',
  },
  {
    name: 'messages leave before what they promise is durable',
    file: 'src/replica/shard-host.ts',
    from: 'this.#around.storage.append(records, true, () => this.#persisted(effect.id, effect.then));',
    to: 'this.#around.storage.append(records, true);\n    this.#persisted(effect.id, effect.then);',
  },
  {
    name: 'a torn group is taken without its checksum',
    file: 'src/storage/format.ts',
    from: ' || recordCrc(bytes, at, length, chain) !== crc',
    to: '',
  },
  {
    name: 'a stale fence is taken',
    file: 'src/guard/rule.ts',
    from: 'current !== null && current > token ?',
    to: 'current !== null && current > token + 1_000n ?',
  },
  {
    name: 'no directory is synced',
    file: 'src/storage/file-system.ts',
    from: 'fileSystem.fsyncSync(directory);',
    to: '',
  },
];

const SEEDS = process.argv[2] ?? '300';
const only = process.argv[3];

/** Runs the simulator over a copy with the bug. Returns what it said last. */
function hunt({ file, from, to }: Mutant): string {
  const copy = mkdtempSync(join(tmpdir(), 'quorate-mutant-'));
  try {
    mkdirSync(join(copy, 'test'));
    cpSync('src', join(copy, 'src'), { recursive: true });
    cpSync('test/harness', join(copy, 'test/harness'), { recursive: true });
    cpSync('package.json', join(copy, 'package.json'));
    symlinkSync(join(process.cwd(), 'node_modules'), join(copy, 'node_modules'));
    const text = readFileSync(join(copy, file), 'utf8');
    if (!text.includes(from)) return 'does not apply: the code has changed';
    writeFileSync(
      join(copy, file),
      text.replace(from, () => to),
    );
    const command = ['--import', './test/harness/typescript.js', 'src/simulator/main.ts'];
    const run = spawnSync(process.execPath, [...command, '--seeds', SEEDS, '--stop'], {
      cwd: copy,
      encoding: 'utf8',
    });
    const [, caught = 'nothing', seeds = SEEDS] =
      /breaks ([\w-]+)[\s\S]*?^(\d+) seeds/m.exec(`${run.stderr}\n${run.stdout}`) ?? [];
    return caught === 'nothing' ? `survives ${SEEDS} seeds` : `${caught}, ${seeds} seeds`;
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

let missed = 0;
for (const mutant of MUTANTS) {
  if (only !== undefined && !mutant.name.includes(only)) continue;
  const result = hunt(mutant);
  if (!result.includes(', ')) missed++;
  console.info(`| ${mutant.name} | ${result} |`);
}
process.exitCode = missed > 0 ? 1 : 0;

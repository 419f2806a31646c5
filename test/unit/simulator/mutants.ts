import { fork } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { transformSync } from '@swc/core';
import { type Share, WORKER_FLAGS } from '../../../src/simulator/crew.js';
import { huntsOnRecord, record } from './hunts.js';
import { CAUGHT_SOON, type Mutant, MUTANTS } from './planted.js';

const { values } = parseArgs({
  options: {
    /** Each mutant is hunted through so many seeds at most ... */
    seeds: { type: 'string', default: '500' },
    /** ... and for so long. */
    minutes: { type: 'string', default: '10' },
    /** Only those whose name or file has this word, or one of several (a|b). */
    only: { type: 'string', default: '' },
    /** Those that were never hunted, or survived. */
    open: { type: 'boolean', default: false },
    /** Writes what came of it into the record, which docs/proof.md shows. */
    record: { type: 'boolean', default: false },
    /** The first seed. */
    first: { type: 'string', default: '1' },
    /** So many of them, spread over the list. */
    some: { type: 'string' },
    /** Those that few seeds catch: for CI. */
    soon: { type: 'boolean', default: false },
  },
});

const build = mkdtempSync(join(tmpdir(), 'quorate-mutants-'));
process.on('exit', () => rmSync(build, { recursive: true, force: true }));

const compiled = (filename: string, text: string): string =>
  transformSync(text, {
    filename,
    swcrc: false,
    jsc: { target: 'es2023', parser: { syntax: 'typescript', decorators: true } },
    module: { type: 'es6' },
  }).code;

const inBuild = (file: string): string => join(build, file.replace(/\.ts$/, '.js'));

/** The tree as JavaScript: compiled once for all mutants. */
function compileAll(): void {
  for (const name of readdirSync('src', { recursive: true, encoding: 'utf8' })) {
    const file = join('src', name);
    if (file.endsWith('.ts')) {
      mkdirSync(dirname(inBuild(file)), { recursive: true });
      writeFileSync(inBuild(file), compiled(file, readFileSync(file, 'utf8')));
    } else if (/\.\w+$/.test(file)) {
      mkdirSync(dirname(inBuild(file)), { recursive: true });
      cpSync(file, inBuild(file));
    }
  }
  cpSync('package.json', join(build, 'package.json'));
  symlinkSync(join(process.cwd(), 'node_modules'), join(build, 'node_modules'));
}

/** The file with the bug; undefined when the patch does not apply, because the code has changed. */
function patched({ file, from, to, everywhere = false }: Mutant): string | undefined {
  const text = readFileSync(file, 'utf8');
  const parts = text.split(from);
  return parts.length === 2 || (everywhere && parts.length > 2) ? parts.join(to) : undefined;
}

/** A world that says nothing for so long does not end. Milliseconds. */
const SILENT_MS = 180_000;

/** Runs the simulator over a tree with the bug: what caught it, if anything, and how many seeds ran. */
async function hunt(
  mutant: Mutant,
  text: string,
): Promise<{ readonly caught: string | null; readonly seeds: number }> {
  const target = inBuild(mutant.file);
  const sound = readFileSync(target);
  writeFileSync(target, compiled(mutant.file, text));
  try {
    return await firstViolation({ changes: mutant.changes });
  } finally {
    writeFileSync(target, sound);
  }
}

/** One process runs seed after seed until one shows a violation. */
async function firstViolation(
  asked: Share['asked'],
): Promise<{ readonly caught: string | null; readonly seeds: number }> {
  const first = Number(values.first);
  const share: Share = {
    ...{ first, step: 1, end: first + Number(values.seeds), twice: false, asked },
    untilMs: Date.now() + 60_000 * Number(values.minutes),
  };
  const worker = fork('src/simulator/main.js', ['--worker', JSON.stringify(share)], {
    ...{ cwd: build, execArgv: [...WORKER_FLAGS], stdio: ['ignore', 'ignore', 'pipe', 'ipc'] },
  });
  let [seeds, said] = [0, ''];
  let caught: string | null = null;
  worker.stderr!.on('data', (part) => (said = `${said}${String(part)}`.slice(-2_000)));
  const ends = (by: string): void => {
    caught ??= by;
    worker.kill('SIGKILL');
  };
  let silence = setTimeout(() => ends('a-world-ends'), SILENT_MS);
  worker.on('message', (told: { readonly violation: string | undefined }) => {
    clearTimeout(silence);
    if (caught !== null) return;
    silence = setTimeout(() => ends('a-world-ends'), SILENT_MS);
    seeds++;
    const broken = /breaks ([\w-]+)(.*)/.exec(told.violation ?? '');
    if (broken === null) return;
    console.error(`  ${mutantsDetail(told.violation!)}`);
    ends(broken[1]!);
  });
  const code = await new Promise((resolve) => worker.on('exit', resolve));
  clearTimeout(silence);
  // The bug reached the world itself.
  if (caught === null && code !== 0) {
    console.error(`  ${said}`);
    caught = 'a-world-ends';
  }
  return { caught, seeds: caught === 'a-world-ends' ? seeds + 1 : seeds };
}

const mutantsDetail = (violation: string): string => /^seed .*$/m.exec(violation)?.[0].slice(0, 300) ?? '';

/** `count` of all, evenly spread. */
function spread<T>(all: readonly T[], count: number): readonly T[] {
  return Array.from(
    { length: Math.min(count, all.length) },
    (_, at) => all[Math.floor((at * all.length) / count)]!,
  );
}

const stale = MUTANTS.filter((mutant) => patched(mutant) === undefined);
for (const { name, file } of stale) console.error(`does not apply: ${name} (${file} has changed)`);
compileAll();
const known = huntsOnRecord();
const isOpen = (name: string): boolean => (known.get(name)?.caught ?? null) === null;
const wanted = MUTANTS.filter(
  ({ name, file }) =>
    values.only.split('|').some((word) => `${name} ${file}`.includes(word)) &&
    (!values.soon || CAUGHT_SOON.includes(name)) &&
    (!values.open || isOpen(name)),
);
const chosen = values.some === undefined ? wanted : spread(wanted, Number(values.some));
let survivors = 0;
for (const mutant of chosen) {
  const text = patched(mutant);
  if (text === undefined) continue;
  const result = await hunt(mutant, text);
  if (result.caught === null) survivors++;
  if (values.record) record(mutant.name, result);
  console.info(`| ${mutant.name} | ${result.caught ?? '**survives**'} | ${result.seeds} |`);
}
console.info(`${chosen.length} mutants, ${survivors} survive, ${stale.length} patches do not apply`);
process.exitCode = survivors + stale.length > 0 ? 1 : 0;

import { spawnSync } from 'node:child_process';
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
import { CAUGHT_SOON, type Mutant, MUTANTS } from './planted.js';

const { values } = parseArgs({
  options: {
    /** Each mutant is hunted through so many seeds at most ... */
    seeds: { type: 'string', default: '500' },
    /** ... and for so long. */
    minutes: { type: 'string', default: '10' },
    /** Only those whose name or file has this word. */
    only: { type: 'string', default: '' },
    /** So many of them, spread over the list. */
    some: { type: 'string' },
    /** Those that few seeds catch: for CI. */
    soon: { type: 'boolean', default: false },
    workers: { type: 'string', default: '2' },
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

/** Runs the simulator over a tree with the bug: what caught it, if anything, and how many seeds ran. */
function hunt(mutant: Mutant, text: string): { readonly caught: string | undefined; readonly seeds: string } {
  const target = inBuild(mutant.file);
  const sound = readFileSync(target);
  writeFileSync(target, compiled(mutant.file, text));
  try {
    const options = ['--seeds', values.seeds, '--minutes', values.minutes, '--workers', values.workers];
    const run = spawnSync(process.execPath, ['src/simulator/main.js', ...options, '--stop'], {
      cwd: build,
      encoding: 'utf8',
      maxBuffer: 64 * 1024 * 1024,
    });
    const said = `${run.stderr}\n${run.stdout}`;
    return { caught: /breaks ([\w-]+)/.exec(said)?.[1], seeds: /^(\d+) seeds/m.exec(said)?.[1] ?? '0' };
  } finally {
    writeFileSync(target, sound);
  }
}

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
const wanted = MUTANTS.filter(
  ({ name, file }) => `${name} ${file}`.includes(values.only) && (!values.soon || CAUGHT_SOON.includes(name)),
);
const chosen = values.some === undefined ? wanted : spread(wanted, Number(values.some));
let survivors = 0;
for (const mutant of chosen) {
  const text = patched(mutant);
  if (text === undefined) continue;
  const { caught, seeds } = hunt(mutant, text);
  if (caught === undefined) survivors++;
  console.info(`| ${mutant.name} | ${caught ?? '**survives**'} | ${seeds} |`);
}
console.info(`${chosen.length} mutants, ${survivors} survive, ${stale.length} patches do not apply`);
process.exitCode = survivors + stale.length > 0 ? 1 : 0;

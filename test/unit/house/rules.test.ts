import { describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
/** A tool is started for each; on a busy machine that takes long. Milliseconds. */
const TIMEOUT_MS = 300_000;
const root = process.cwd();

/** Runs a tool in a copy of the sources in which `file` has `text` appended; gives what it printed and its exit code. */
async function withPlanted(
  planted: { readonly file: string; readonly text: string },
  tool: readonly [string, ...string[]],
): Promise<{ readonly code: number; readonly output: string }> {
  const copy = mkdtempSync(join(tmpdir(), 'quorate-rules-'));
  try {
    cpSync(join(root, 'src'), join(copy, 'src'), { recursive: true });
    for (const name of ['package.json', 'tsconfig.json', 'eslint.config.js', '.dependency-cruiser.cjs']) {
      cpSync(join(root, name), join(copy, name));
    }
    symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
    const path = join(copy, planted.file);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, planted.text);
    const [script, ...args] = tool;
    try {
      const { stdout } = await run(process.execPath, [join(root, 'node_modules', script), ...args], {
        cwd: copy,
      });
      return { code: 0, output: stdout };
    } catch (error) {
      const { code, stdout } = error as { code: number; stdout: string };
      return { code, output: stdout };
    }
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

const depcruise = [
  'dependency-cruiser/bin/dependency-cruise.mjs',
  '--config',
  '.dependency-cruiser.cjs',
  'src',
] as const;

describe('rooms', () => {
  const folders = (parent: string): string[] =>
    readdirSync(parent, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => join(parent, name));

  it.each([...folders('src'), ...folders('src/locking')])('%s has a door and a page', (room) => {
    const files = readdirSync(room);
    expect(files).toContain('index.ts');
    expect(files).toContain('README.md');
  });
});

describe('the import table', () => {
  const violations = [
    ['paxos must not know groups', 'src/paxos/planted.ts', `import '../groups/index.js';`, 'paxos-imports'],
    [
      'groups must not know the wire',
      'src/groups/planted.ts',
      `import '../wire/index.js';`,
      'groups-imports',
    ],
    [
      'the wire must not know the broker',
      'src/wire/planted.ts',
      `import '../broker/index.js';`,
      'wire-imports',
    ],
    [
      'nobody enters beside the door',
      'src/machine/planted.ts',
      `import '../groups/groups.js';`,
      'through-the-door',
    ],
    [
      'pure rooms have no node: module',
      'src/paxos/planted.ts',
      `import 'node:fs';`,
      'pure-rooms-import-no-node',
    ],
    ['pure rooms have no package', 'src/topics/planted.ts', `import 'zod';`, 'pure-rooms-import-no-node'],
    [
      'nothing ships with a development dependency',
      'src/admin/planted.ts',
      `import 'kysely';`,
      'no-dev-dependency',
    ],
  ] as const;

  it.each(violations)(
    '%s',
    async (_name, file, text, rule) => {
      const { code, output } = await withPlanted({ file, text: `${text}\n` }, [...depcruise]);
      expect(output).toContain(rule);
      expect(output).toContain(file);
      expect(code).not.toBe(0);
    },
    TIMEOUT_MS,
  );

  it(
    'sees a cycle',
    async () => {
      const { code, output } = await withPlanted(
        { file: 'src/kernel/assert.ts', text: `import './index.js';\nexport const assert = 1;\n` },
        [...depcruise],
      );
      expect(output).toContain('no-cycles');
      expect(code).not.toBe(0);
    },
    TIMEOUT_MS,
  );
});

describe('pure rooms', () => {
  const planted = [
    ['a clock', 'export const planted = Date.now();', 'no-restricted-globals'],
    ['a monotonic clock', 'export const planted = performance.now();', 'no-restricted-globals'],
    ['randomness', 'export const planted = Math.random();', 'no-restricted-properties'],
    ['a timer', 'setTimeout(() => undefined, 1);', 'no-restricted-globals'],
    ['the process', 'export const planted = process.pid;', 'no-restricted-globals'],
    ['a log', "console.log('planted');", 'no-restricted-globals'],
    ['a node: module', "import 'node:fs';", 'no-restricted-imports'],
  ] as const;

  it(
    'refuse each of what is not theirs',
    async () => {
      const text = planted.map(([, line]) => line).reverse();
      const { code, output } = await withPlanted(
        { file: 'src/groups/planted.ts', text: `${text.join('\n')}\n` },
        ['eslint/bin/eslint.js', '--format=json', 'src/groups/planted.ts'],
      );
      expect(code).toBe(1);
      const [report] = JSON.parse(output) as [{ messages: { ruleId: string; line: number }[] }];
      for (const [name, line, rule] of planted) {
        const at = text.indexOf(line) + 1;
        expect([name, report.messages.some((m) => m.line === at && m.ruleId === rule)]).toEqual([name, true]);
      }
    },
    TIMEOUT_MS,
  );
});

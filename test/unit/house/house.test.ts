import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { readTree, RULES } from './checks/index.js';

const tree = readTree(process.cwd());

/** Rules that the whole repository keeps. `npm run house` prints what breaks the others. */
const KEPT = [
  'sizes',
  'unused exports',
  'circles',
  'branded ids',
  'links',
  'tables',
  'documented',
] as (keyof typeof RULES)[];

describe('the rules of the house', () => {
  for (const rule of KEPT) {
    it(`${rule}: nothing breaks it`, () => {
      expect(RULES[rule](tree)).toEqual([]);
    });
  }

  const long = (lines: number, line: string): string => Array.from({ length: lines }, () => line).join('\n');
  const planted: readonly [
    rule: keyof typeof RULES,
    name: string,
    file: string,
    text: string,
    says: string,
  ][] = [
    ['sizes', 'a long file', 'src/kernel/planted.ts', long(401, 'f();'), '401 lines'],
    [
      'sizes',
      'a long function',
      'src/kernel/planted.ts',
      `function f() {\n${long(70, 'f();')}\n}`,
      'of 72 lines',
    ],
    [
      'unused exports',
      'an export',
      'src/kernel/planted.ts',
      'export const planted = 1;',
      'nobody imports planted',
    ],
    [
      'circles',
      'of types',
      'src/kernel/ids.ts',
      `import type { X } from './index.js';`,
      'src/kernel/index.ts',
    ],
    [
      'branded ids',
      'a parameter',
      'src/paxos/planted.ts',
      'export const f = (slot: number) => slot;',
      'slot is a Slot',
    ],
    ['links', 'to no file', 'docs/planted.md', '[x](nowhere.md)', 'leads nowhere'],
    ['links', 'to no heading', 'docs/planted.md', '# Here\n[x](#there)', 'no heading #there'],
    ['links', 'a path without', 'docs/planted.md', '`src/paxos`', 'is no link'],
    ['tables', 'a page that differs', 'docs/architecture.md', '', 'paxos may import: kernel'],
    ['tables', 'pure rooms', 'CONTRIBUTING.md', 'pure rooms (paxos)', 'the pure rooms are'],
    ['documented', 'a metric', 'src/admin/planted.ts', `'quorate_planted_total'`, 'quorate_planted_total'],
    ['documented', 'a command', 'src/cli/planted.ts', `x.command('plantedcommand')`, 'plantedcommand'],
    ['documented', 'a setting', 'src/app/settings.ts', '  plantedMs: integer({', 'plantedMs'],
    ['documented', 'an error', 'src/locking/planted.ts', 'export class PlantedError {}', 'PlantedError'],
  ];

  it.each(planted)('%s: %s is found', (rule, _name, file, text, says) => {
    const found = RULES[rule](new Map([...tree, [file, text]]));
    expect(found.some((finding) => finding.says.includes(says))).toBe(true);
  });

  it('a long table of data is no violation', () => {
    const text = `const rows = [\n${long(500, '  [1, 2],')}\n];`;
    const found = RULES.sizes(new Map([['src/kernel/planted.ts', text]]));
    expect(found).toEqual([]);
  });
});

describe('the workflow of the forge', () => {
  it('runs every part of .ci/run', () => {
    const words = (file: string, list: RegExp): readonly string[] =>
      (list.exec(readFileSync(file, 'utf8'))?.[1] ?? '').split(/[\s,]+/);
    const parts = words('.ci/run', /^PARTS=\((.*)\)$/m);
    expect(parts).toContain('check');
    expect(words('.github/workflows/check.yml', /part: \[(.*)\]/)).toEqual(parts);
  });
});

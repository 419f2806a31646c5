import { type Finding, type Tree } from './tree.js';

const words = (text: string): string[] => [...text.matchAll(/[a-z]+/g)].map(([word]) => word);
const asSet = (list: readonly string[]): string => [...new Set(list)].sort().join(', ');

/** What each room may import, as .dependency-cruiser.cjs enforces it. */
function enforcedTable(tree: Tree): Map<string, string> {
  const [, body = ''] = /MAY_IMPORT = \{([^}]*)\}/.exec(tree.get('.dependency-cruiser.cjs') ?? '') ?? [];
  return new Map(
    [...body.matchAll(/(\w+): \[([^\]]*)\]/g)].map(([, room = '', doors = '']) => [
      room,
      asSet(words(doors)),
    ]),
  );
}

function documentedTable(tree: Tree): Map<string, string> {
  const rows = (tree.get('docs/architecture.md') ?? '').matchAll(/^\| (`[^|]*) \|[^|]*\| ([^|]*) \|$/gm);
  return new Map(
    [...rows].flatMap(([, rooms = '', doors = '']) =>
      [...rooms.matchAll(/`(\w+)`/g)].map(([, room = '']): [string, string] => [
        room,
        asSet(words(doors.replace(/\([^)]*\)/g, '')).filter((word) => word !== 'nothing')),
      ]),
    ),
  );
}

/** The import table and the list of pure rooms stand in five places; a finding for each place that says something else. */
export function tablesThatDiffer(tree: Tree): Finding[] {
  const findings: Finding[] = [];
  const differs = (file: string, says: string): unknown => findings.push({ file, line: 1, says });
  const documented = documentedTable(tree);
  for (const [room, doors] of enforcedTable(tree)) {
    if (documented.get(room) !== doors)
      differs('docs/architecture.md', `${room} may import: ${doors || 'nothing'}`);
    const readme = `src/${room}/README.md`;
    const [, said] = /^May import: ([^.]*)\.$/m.exec(tree.get(readme) ?? '') ?? [];
    if (said === undefined || asSet(words(said).filter((word) => word !== 'nothing')) !== doors)
      differs(readme, `has no line "May import: ${doors || 'nothing'}."`);
  }
  const [, pure = ''] = /PURE = '([^']*)'/.exec(tree.get('.dependency-cruiser.cjs') ?? '') ?? [];
  const places = [
    ['eslint.config.js', /PURE_ROOMS = \[([^\]]*)\]/],
    ['docs/architecture.md', /pure rooms \(([^)]*)\)/],
    ['CONTRIBUTING.md', /pure rooms \(([^)]*)\)/],
  ] as const;
  for (const [file, pattern] of places) {
    const [, list = ''] = pattern.exec(tree.get(file) ?? '') ?? [];
    if (asSet(words(list)) !== asSet(words(pure))) differs(file, `the pure rooms are ${asSet(words(pure))}`);
  }
  return findings;
}

/** Settings, metrics and CLI commands of the code that no page names. */
export function undocumented(tree: Tree): Finding[] {
  const pages = [...tree]
    .filter(([file]) => file === 'README.md' || /^docs\/.*\.md$/.test(file))
    .map(([, text]) => text)
    .join('\n');
  const named = (word: string): boolean => new RegExp(`\\b${word}\\b`).test(pages);
  const kinds = [
    [/^src\/admin\//, /['"`](quorate_[a-z_]+)/g, 'metric'],
    [/^src\/cli\//, /\.command\('([a-z-]+)/g, 'command'],
    [/^src\/locking\//, /^export class (\w+Error)\b/gm, 'error'],
    [/^src\/wire\/errors/, /\b([A-Z]{3,}(?:_[A-Z]+)+)\b/g, 'error'],
    [
      /^src\/app\/settings\.ts$/,
      /^ {2}(\w+): (?:integer|text|optional|shaped|choice|flag|ratio)\(/gm,
      'setting',
    ],
  ] as const;
  return [...tree].flatMap(([file, text]) =>
    kinds
      .filter(([files]) => files.test(file))
      .flatMap(([, pattern, kind]) => [...text.matchAll(pattern)].map(([, word = '']) => ({ word, kind })))
      .filter(({ word }) => !named(word))
      .map(({ word, kind }) => ({ file, line: 1, says: `no page names the ${kind} ${word}` })),
  );
}

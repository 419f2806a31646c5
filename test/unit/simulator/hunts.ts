import { readFileSync, writeFileSync } from 'node:fs';
import { MUTANTS } from './planted.js';

/** What came of hunting a planted bug: the invariant that caught it (null: none did), and how many seeds ran. */
export interface Hunt {
  readonly caught: string | null;
  readonly seeds: number;
}

const FILE = 'test/unit/simulator/hunts.json';

/** By the names of the planted bugs. */
export function huntsOnRecord(): ReadonlyMap<string, Hunt> {
  return new Map(Object.entries(JSON.parse(readFileSync(FILE, 'utf8')) as Record<string, Hunt>));
}

/** Keeps the record in the order of the list. */
export function record(name: string, hunt: Hunt): void {
  const hunts = new Map(huntsOnRecord()).set(name, hunt);
  const known = MUTANTS.flatMap((mutant) => {
    const found = hunts.get(mutant.name);
    return found === undefined ? [] : [[mutant.name, found] as const];
  });
  writeFileSync(FILE, `${JSON.stringify(Object.fromEntries(known), undefined, 2)}\n`);
}

const BEGIN = '<!-- planted bugs -->\n';
const END = '<!-- end of planted bugs -->\n';

/** The page with the record as its table, between two marks. */
export function withTableOfHunts(page: string): string {
  const [before, rest] = page.split(BEGIN);
  const after = rest?.split(END)[1];
  if (before === undefined || after === undefined) throw new Error(`the page has no ${BEGIN.trim()}`);
  const hunts = huntsOnRecord();
  const rows = MUTANTS.map(({ name }) => {
    const hunt = hunts.get(name);
    if (hunt === undefined) return `| ${name} | not hunted yet | |`;
    return `| ${name} | ${hunt.caught === null ? '**not caught**' : `\`${hunt.caught}\``} | ${hunt.seeds} |`;
  });
  const head = '| planted bug | what caught it | seeds |\n|---|---|---|\n';
  return `${before}${BEGIN}${head}${rows.join('\n')}\n${END}${after}`;
}

import { readFileSync } from 'node:fs';

const PAGE = readFileSync(new URL('../../../docs/wire.md', import.meta.url), 'utf8').split('\n');

/** The cells of the table of docs/wire.md that has these columns, row by row. */
export function tableOf(columns: readonly string[]): readonly (readonly string[])[] {
  const head = PAGE.indexOf(`| ${columns.join(' | ')} |`);
  if (head < 0) throw new Error(`docs/wire.md has no table of ${columns.join(', ')}`);
  const body = PAGE.slice(head + 2);
  const end = body.findIndex((line) => !line.startsWith('|'));
  return body.slice(0, end).map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

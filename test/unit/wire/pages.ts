import { readFileSync } from 'node:fs';

export const linesOf = (page: string): readonly string[] =>
  readFileSync(new URL(`../../../docs/${page}`, import.meta.url), 'utf8').split('\n');

/** The cells of the table that has these columns, row by row. */
export function tableOf(
  columns: readonly string[],
  page: 'wire.md' | 'clients.md' = 'wire.md',
): readonly (readonly string[])[] {
  const lines = linesOf(page);
  const head = lines.indexOf(`| ${columns.join(' | ')} |`);
  if (head < 0) throw new Error(`docs/${page} has no table of ${columns.join(', ')}`);
  const body = lines.slice(head + 2);
  const end = body.findIndex((line) => !line.startsWith('|'));
  return body.slice(0, end).map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

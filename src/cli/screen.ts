import type { Seen } from './changes.js';
import { fencesTable, membersTable } from './group-views.js';

export interface TerminalSize {
  readonly rows: number;
  readonly columns: number;
}

/** The lines of the live view: members and partitions share what the last changes leave. */
export function screenOf(
  head: string,
  { detail, fences }: Seen,
  told: readonly string[],
  { rows, columns }: TerminalSize,
): readonly string[] {
  // One row stays free for the cursor, and each block has an empty line before it.
  const room = Math.max(3, rows - 5);
  const members =
    detail === null || detail.members.length === 0 ? [] : membersTable(detail.members).split('\n');
  const owned = fences.length === 0 ? [] : fencesTable(fences).split('\n');
  const changesMax = Math.max(1, Math.floor(room / 3));
  const rest = room - Math.min(changesMax, told.length);
  const membersMax = Math.max(2, Math.max(Math.floor(rest / 2), rest - owned.length));
  const shownMembers = cut(members, membersMax);
  const shownOwned = cut(owned, Math.max(2, rest - shownMembers.length));
  const changes = told.slice(-Math.max(1, room - shownMembers.length - shownOwned.length));
  return [[head], shownMembers, shownOwned, changes]
    .filter((block) => block.length > 0)
    .flatMap((block, index) => (index === 0 ? block : ['', ...block]))
    .map((line) => line.slice(0, columns));
}

/** The first lines, and how many are missing. */
function cut(lines: readonly string[], most: number): readonly string[] {
  if (lines.length <= most) return lines;
  return [...lines.slice(0, most - 1), `... and ${lines.length - most + 1} more`];
}

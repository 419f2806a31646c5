import type { Configuration, Entry } from '../../../src/paxos/index.js';

/** Who is in it, in a word: `configuration 2: 1 3 4`. */
export const configurationText = ({ number, members }: Configuration): string =>
  `configuration ${number}: ${members.map(({ id }) => id).join(' ')}`;

/** What a slot holds, in a word. Commands of tests are text. */
export function valueText(entry: Entry): string {
  if (entry.kind === 'command') return Buffer.from(entry.payload).toString();
  return entry.kind === 'noop' ? 'noop' : `seal(${configurationText(entry.next)})`;
}

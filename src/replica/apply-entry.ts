import type { Slot } from '../kernel/index.js';
import type { Applied, BegunCommand, Machine } from '../machine/index.js';
import { type Begun, decodeBegun, encodeBegun, type Entry } from '../paxos/index.js';

/** What an entry of the log is to the machine: a command, nothing, or a change of who decides. */
export function applyEntry(machine: Machine, at: Slot, entry: Entry): Applied | undefined {
  return entry.kind === 'seal'
    ? applySeal(machine, at, entry)
    : machine.apply(at, entry.kind === 'command' ? entry.payload : null);
}
/** The same in steps: `Machine.begin`. */
export function beginEntry(machine: Machine, at: Slot, entry: Entry): BegunCommand | undefined {
  return entry.kind === 'seal'
    ? applySeal(machine, at, entry)
    : machine.begin(at, entry.kind === 'command' ? entry.payload : null);
}
function applySeal(machine: Machine, at: Slot, entry: Extract<Entry, { kind: 'seal' }>): undefined {
  machine.applySeal(at, encodeBegun({ since: at, configuration: entry.next }));
}

/** The configuration that the log is in where the machine stands; undefined for the first. */
export const begunOf = ({ configuration }: Machine): Begun | undefined =>
  configuration === undefined ? undefined : decodeBegun(configuration);

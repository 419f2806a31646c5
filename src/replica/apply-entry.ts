import type { Slot } from '../kernel/index.js';
import type { Applied, Machine } from '../machine/index.js';
import { type Begun, decodeBegun, encodeBegun, type Entry } from '../paxos/index.js';

/** What an entry of the log is to the machine: a command, nothing, or a change of who decides. */
export function applyEntry(machine: Machine, at: Slot, entry: Entry): Applied | undefined {
  if (entry.kind === 'seal') {
    machine.applySeal(at, encodeBegun({ since: at, configuration: entry.next }));
    return undefined;
  }
  return machine.apply(at, entry.kind === 'command' ? entry.payload : null);
}

/** The configuration that the log is in where the machine stands; undefined for the first. */
export const begunOf = ({ configuration }: Machine): Begun | undefined =>
  configuration === undefined ? undefined : decodeBegun(configuration);

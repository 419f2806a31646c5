import { PartedBytes, type ShardId, type Slot, type Steps } from '../kernel/index.js';
import { type Machine, type MachineOptions, restoringMachine } from '../machine/index.js';
import { failureOf } from './guarded-storage.js';
import type { Storage } from './ports.js';

/**
 * The machine that the newest snapshot of a shard holds; undefined where there is none. It is made from a chunk after the other, between
 * which the loop is free. `check` sees the first one. Rejects when the snapshot is damaged, or not one that this version reads.
 */
export async function storedMachine(
  storage: Pick<Storage, 'readSnapshot'>,
  options: MachineOptions,
  check?: (shard: ShardId, through: Slot, first: Uint8Array | undefined) => void,
): Promise<Machine | undefined> {
  const snapshot = await storage.readSnapshot(options.shard);
  if (snapshot === undefined) return undefined;
  const bytes = new PartedBytes();
  const steps = restoringMachine(options, bytes);
  let first = true;
  let problem: { readonly error: unknown } | undefined;
  const take = (chunk: Uint8Array): void => {
    if (first) check?.(options.shard, snapshot.through, chunk);
    first = false;
    bytes.add(chunk);
    throughTheirs(steps, bytes);
  };
  // What cannot be read may be damaged: then the end of it says so.
  for await (const chunk of snapshot.chunks) problem ??= failureOf(() => take(chunk));
  if (problem !== undefined) throw problem.error;
  bytes.complete();
  return throughTheirs(steps, bytes)!;
}

/** All steps that what has come is enough for. The machine once there is no more to come. */
function throughTheirs(steps: Steps<Machine>, bytes: PartedBytes): Machine | undefined {
  while (!bytes.hungry) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
  return undefined;
}

import { assert, begun, type ShardId, type Slot } from '../kernel/index.js';
import { snapshotHead } from '../machine/index.js';
import { assertSuccessor } from './identity.js';
import type { DiskIdentity, OpenedStorage, Storage } from './ports.js';

/**
 * The same storage, whose callbacks run inside `guard`: what one of them throws never reaches the storage. It also checks
 * what goes to the disk, and what comes back, against the same conditions (the records of the shards: shard-log.ts).
 */
export function guardedStorage(opened: OpenedStorage, guard: (action: () => void) => void): Storage {
  const { storage } = opened;
  const guarded = (done: () => void) => () => guard(done);
  let identity = opened.identity;
  let position = 0;
  return {
    append: (records, sync, done) =>
      storage.append(records, sync, done === undefined ? undefined : guarded(done)),
    writeSnapshot: (shard, through, chunks, done) => {
      const checked = begun(chunks, (first) => assertSnapshot(shard, through, first));
      storage.writeSnapshot(shard, through, checked, guarded(done));
    },
    readSnapshot: async (shard) => {
      const found = await storage.readSnapshot(shard);
      if (found === undefined) return undefined;
      return { through: found.through, chunks: checkedChunks(shard, found.through, found.chunks) };
    },
    openSnapshot: async (shard) => {
      const found = await storage.openSnapshot(shard);
      if (found === undefined) return undefined;
      try {
        assertSnapshot(shard, found.through, await found.read(0));
      } catch (error) {
        found.close();
        throw error;
      }
      return found;
    },
    rebase: (records, done) => storage.rebase(records, guarded(done)),
    room: () => storage.room(),
    logBytes: () => storage.logBytes(),
    ...(storage.writeSeconds && { writeSeconds: () => storage.writeSeconds!() }),
    position: () => {
      const now = storage.position();
      assert(now >= position, `the position of the disk grows from ${position}, not to ${now}`);
      return (position = now);
    },
    saveIdentity: (next: DiskIdentity) => {
      if (identity !== undefined) assertSuccessor(identity, next);
      identity = next;
      return storage.saveIdentity(next);
    },
    close: () => storage.close(),
    onFailure: (handler) => storage.onFailure(handler),
  };
}

/** A snapshot is kept under the shard and the slot that its own bytes name. */
export function assertSnapshot(shard: ShardId, through: Slot, first: Uint8Array | undefined): void {
  const head = snapshotHead(first ?? new Uint8Array());
  assert(head.shard === shard, `the snapshot of shard ${shard} is not of shard ${head.shard}`);
  assert(
    head.appliedThrough === through,
    `the snapshot of shard ${shard} through slot ${through} does not hold the state at slot ${head.appliedThrough}`,
  );
}

async function* checkedChunks(
  shard: ShardId,
  through: Slot,
  chunks: AsyncIterable<Uint8Array>,
): AsyncIterable<Uint8Array> {
  let first = true;
  let wrong: { readonly error: unknown } | undefined;
  for await (const chunk of chunks) {
    if (first) wrong = failureOf(() => assertSnapshot(shard, through, chunk));
    first = false;
    // Where it is damaged, the end of it says so.
    if (wrong === undefined) yield chunk;
  }
  if (wrong !== undefined) throw wrong.error;
}

/** What a check throws. */
export function failureOf(check: () => void): { readonly error: unknown } | undefined {
  try {
    check();
    return undefined;
  } catch (error) {
    return { error };
  }
}

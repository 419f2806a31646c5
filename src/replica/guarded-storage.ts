import type { Storage } from './ports.js';

/** The same storage, whose callbacks run inside `guard`: what one of them throws never reaches the storage. */
export function guardedStorage(storage: Storage, guard: (action: () => void) => void): Storage {
  const guarded = (done: () => void) => () => guard(done);
  return {
    ...bound(storage),
    append: (records, sync, done) =>
      storage.append(records, sync, done === undefined ? undefined : guarded(done)),
    writeSnapshot: (shard, through, chunks, done) =>
      storage.writeSnapshot(shard, through, chunks, guarded(done)),
    rebase: (records, done) => storage.rebase(records, guarded(done)),
  };
}

function bound(storage: Storage): Omit<Storage, 'append' | 'writeSnapshot' | 'rebase'> {
  return {
    readSnapshot: (shard) => storage.readSnapshot(shard),
    room: () => storage.room(),
    logBytes: () => storage.logBytes(),
    position: () => storage.position(),
    saveIdentity: (identity) => storage.saveIdentity(identity),
    close: () => storage.close(),
    onFailure: (handler) => storage.onFailure(handler),
  };
}

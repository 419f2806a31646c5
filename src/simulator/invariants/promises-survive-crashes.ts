import { forgotPromise, type History } from '../history.js';

/**
 * What a replica says it has promised or accepted is durable: as long as it votes it knows that after a crash, whatever has
 * happened to its disk.
 */
export function promisesSurviveCrashes({ promises }: History): string | undefined {
  for (const { replica, shard, told, found } of promises) {
    const where = `replica ${replica} votes in shard ${shard}, and`;
    if (forgotPromise(told, found))
      return `${where} had promised ${JSON.stringify(told.ballot)}; after its restart it knows ${JSON.stringify(found.ballot)}`;
    if (found.through < told.through)
      return `${where} had accepted through slot ${told.through}; after its restart it has them through ${found.through}`;
  }
  return undefined;
}

import { compareBallots } from '../../paxos/index.js';
import type { History } from '../history.js';

/** No promise leaves a replica before it is durable: after a crash it is still there, unless the disk was damaged. */
export function promisesSurviveCrashes({ promises }: History): string | undefined {
  const broken = promises.find(({ told, found }) => compareBallots(found, told) < 0);
  return broken === undefined
    ? undefined
    : `replica ${broken.replica} had promised ${JSON.stringify(broken.told)} for shard ${broken.shard}, and after its restart it knows ${JSON.stringify(broken.found)}`;
}

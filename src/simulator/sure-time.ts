import { isFullQuorum, quorumSystem } from '../paxos/index.js';
import type { Setup } from './setup.js';
import type { Station } from './strike.js';
import { LEVEL_OF_RETENTION } from './versions.js';

/** Whether what is past its retention must go: of those that hear each other a quorum has always had the right time. */
export function timeIsSure(setup: Setup, stations: readonly Station[], badOne: Station): boolean {
  const { staysBad, quorums = { kind: 'majority' }, olderLevel, changes } = setup;
  // One with a damaged snapshot does not start any more.
  const isAway = staysBad === 'dead' || staysBad === 'apart' || badOne.damaged;
  // Not all are linked at one moment any more: nobody knows what all of them run.
  if (changes === true || (staysBad === 'oneLink' && olderLevel !== undefined)) return false;
  // Who is away may have been of an older version when it was met last.
  if (stations.some(({ level }) => level < LEVEL_OF_RETENTION)) return false;
  if (isAway && olderLevel !== undefined) return false;
  const right = stations.filter((station) => !station.wallJumped && !(isAway && station === badOne));
  const ids = stations.map(({ id }) => id);
  return isFullQuorum(quorumSystem(quorums, ids), new Set(right.map(({ id }) => id)));
}

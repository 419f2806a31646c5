import { FEATURE_LEVEL } from '../../machine/index.js';
import type { Fault, Station } from '../strike.js';

/** What operators do in a cluster that began with an older version. */
export const VERSION_FAULTS = {
  /** The next one gets the present version. */
  upgrade: (strike) => {
    const older = strike.world.stations.filter(({ level }) => level < FEATURE_LEVEL);
    if (older.length === 0) return;
    const station = strike.random.pick(older);
    strike.note(older.length === 1 ? 'the last replica was upgraded' : 'a replica was upgraded', station);
    upgrade(station);
    strike.world.restart(station, strike.random.chance(0.6), 20);
  },
  /** Before all run the present version each may go back. After that none should: it stops, and harms nothing. */
  rollBack: (strike) => {
    const { world, random } = strike;
    const { olderLevel } = world;
    const upgraded = world.stations.filter(({ level }) => level === FEATURE_LEVEL);
    if (olderLevel === undefined || upgraded.length === 0) return;
    const tooLate = world.allUpgraded;
    if (tooLate && random.chance(0.6)) return;
    const station = random.pick(upgraded);
    strike.note(tooLate ? 'a replica was rolled back too late' : 'a replica was rolled back', station);
    station.level = olderLevel;
    world.restart(station, random.chance(0.6), 20);
    if (!tooLate) return;
    station.tooOld = true;
    strike.later(1_500, () => {
      upgrade(station);
      world.restart(station, true, 20);
    });
  },
} satisfies Record<string, Fault>;

function upgrade(station: Station): void {
  station.level = FEATURE_LEVEL;
  station.tooOld = false;
}

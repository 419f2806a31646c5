import { type ReplicaId, replicaId } from '../kernel/index.js';
import { FEATURE_LEVEL } from '../machine/index.js';
import { SimulatedDisk } from './disk.js';
import { type Setup, stream } from './setup.js';
import type { Station } from './strike.js';

/** How many replicas an operator has that are not in the cluster. */
const SPARES = 8;

/** Those that form the cluster, and those that an operator may add to it, which do not run. */
export function newStations(setup: Setup): readonly Station[] {
  const { seed, replicas, olderLevel = FEATURE_LEVEL, changes } = setup;
  const clocks = stream(seed, 'clocks');
  const count = replicas + (changes === true ? SPARES : 0);
  return Array.from({ length: count }, (_, index) => ({
    id: replicaId(index + 1),
    disk: new SimulatedDisk(stream(seed, `disk ${index}`)),
    drift: 1 + (clocks.next() - 0.5) * 0.04,
    wallOffset: 0,
    odd: {},
    wallJumped: false,
    level: olderLevel,
    runs: olderLevel,
    tooOld: false,
    isGone: index >= replicas,
    process: undefined,
    incarnation: undefined,
    lives: 0,
    troubled: false,
    damaged: false,
    forgot: false,
    reached: undefined,
    portTaken: 0,
    copy: undefined,
  }));
}

/** Whom the settings of a replica name: those that form the cluster, and itself: production starts with no others. */
export function namedBy({ id, odd }: Pick<Station, 'id' | 'odd'>, { replicas }: Setup): readonly ReplicaId[] {
  const founders = Array.from({ length: odd.replicas ?? replicas }, (_, index) => replicaId(index + 1));
  return founders.includes(id) ? founders : [...founders, id];
}

import { identityOn } from '../identity-on-disk.js';
import type { Fault, Strike } from '../strike.js';

export const DISK_FAULTS = {
  slowDisk: (strike) => {
    const station = strike.any();
    strike.note('a disk was slow', station);
    station.troubled = true;
    station.disk.trouble.slowMs = strike.random.pick([5, 50, 1_000]);
    strike.later(1_500, () => (station.disk.trouble.slowMs = 0));
  },
  diskHangs: (strike) => {
    const station = strike.any();
    const { disk } = station;
    if (disk.trouble.hangs) return;
    strike.note('a disk hung', station);
    station.troubled = true;
    disk.trouble.hangs = true;
    strike.after(strike.random.pick([200, 2_500, 8_000]), () => disk.mend());
  },
  diskFails: (strike) => {
    if (strike.random.chance(0.7)) return;
    const station = strike.any();
    station.troubled = true;
    station.disk.trouble.failsAfter = strike.random.below(10);
    strike.note('a disk failed', station);
    strike.later(800, () => station.disk.mend());
  },
  diskFailsOnce: (strike) => {
    if (strike.random.chance(0.7)) return;
    const station = strike.any();
    station.troubled = true;
    station.disk.trouble.failsAfter = strike.random.below(10);
    station.disk.trouble.failures = 1;
    strike.note('a disk failed once', station);
  },
  diskFull: (strike) => {
    if (strike.random.chance(0.5)) return;
    const station = strike.any();
    station.troubled = true;
    station.disk.trouble.room = strike.random.below(6_000);
    strike.note('a disk was full', station);
    strike.later(1_500, () => (station.disk.trouble.room = Number.POSITIVE_INFINITY));
  },
  /** An operator puts a copy of a data directory aside. */
  backUp: (strike) => {
    const position = strike.victim.process?.position();
    if (position === undefined) return;
    strike.victim.copy = { image: strike.victim.disk.image(), position };
    strike.note('a disk was copied', strike.victim);
  },
  damage: (strike) => {
    if (strike.random.chance(0.5)) damage(strike);
  },
  /** Somebody puts an empty disk in the place of the one that may be damaged. */
  diskReplaced: (strike) => {
    if (takeForDamage(strike)) wipe(strike);
  },
} satisfies Record<string, Fault>;

/** The one disk that may be damaged is about to be, once: its process dies of it. False when it may not be now. */
function takeForDamage({ victim, world }: Strike, backAfterMs?: number): boolean {
  const formed = world.placed.every(({ process }) => process?.replica?.status().standing === 'voter');
  if (victim.damaged || !formed) return false;
  world.kill(victim, true, backAfterMs);
  victim.damaged = true;
  return true;
}

function wipe(strike: Strike): void {
  strike.note('a disk was wiped', strike.victim);
  strike.victim.disk.wipe();
  strike.victim.forgot = true;
}

/** Damages the one disk that may be damaged. False when it may not be now. */
export function damage(strike: Strike, backAfterMs?: number): boolean {
  const { victim, random } = strike;
  if (!takeForDamage(strike, backAfterMs)) return false;
  if (random.chance(0.3)) victim.portTaken = 1;
  const { disk, copy } = victim;
  if (copy !== undefined && knownAsOlder(strike, copy.position) && random.chance(0.7)) {
    strike.note('an older copy of a disk was restored', victim);
    disk.restore(copy.image);
    victim.forgot = true;
    victim.reached = undefined;
    return true;
  }
  const harm = random.next();
  if (harm < 0.25) {
    wipe(strike);
  } else if (harm < 0.5) {
    strike.note('a log was zeroed', victim);
    disk.zeroLog(random.chance(0.5));
    victim.forgot = true;
  } else {
    strike.note('a disk was corrupted', victim);
    for (let flips = 1 + random.below(3); flips > 0; flips--) disk.rot();
  }
  return true;
}

/**
 * Whether each of the others has written down that the disk had come further: whichever of them the copy meets first then
 * knows it for a copy. Of those who have not, one may be all that it meets.
 */
function knownAsOlder(strike: Strike, position: number): boolean {
  const { victim } = strike;
  return strike.others(victim).every(({ disk }) => {
    return (identityOn(disk)?.positions?.[victim.id] ?? -1) > position;
  });
}

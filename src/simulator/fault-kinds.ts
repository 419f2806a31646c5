/** Each has its handler in [faults](faults). */
export const FAULT_KINDS = [
  'crashAtAnEffect',
  'crashNow',
  'blink',
  'crashInItsStart',
  'crashAll',
  'stopProcess',
  'stopLeader',
  'portTaken',
  'wallClockJumps',
  'changedSettings',
  'cutOneWay',
  'cutPair',
  'isolate',
  'onlyOneHearsAll',
  'resetLink',
  'slowLinks',
  'farAway',
  'slowDisk',
  'diskHangs',
  'diskFails',
  'diskFailsOnce',
  'diskFull',
  'backUp',
  'damage',
  'majorityMoves',
  'suspend',
  'crashAtAFile',
  'stopAtAnEffect',
  'powerFailsAgain',
  'fallsBehind',
  'leaderStopsMidway',
  'answersComeLate',
  'diskReplaced',
] as const;
/** In a cluster that began with an older version. */
export type VersionFault = 'upgrade' | 'rollBack';
export type FaultKind = (typeof FAULT_KINDS)[number] | VersionFault;

/** Something that goes wrong at a moment of the world; `seed` draws the rest. */
export interface PlannedFault {
  readonly atMs: number;
  readonly kind: FaultKind;
  readonly seed: number;
}

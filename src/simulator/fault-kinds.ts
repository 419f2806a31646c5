/** Each has its handler in faults.ts. */
export const FAULT_KINDS = [
  'crashAtAnEffect',
  'crashNow',
  'crashAll',
  'cutOneWay',
  'isolate',
  'resetLink',
  'slowLinks',
  'stopProcess',
  'slowDisk',
  'diskFails',
  'diskFull',
  'wallClockJumps',
  'damage',
] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

/** Something that goes wrong at a moment of the world; `seed` draws the rest. */
export interface PlannedFault {
  readonly atMs: number;
  readonly kind: FaultKind;
  readonly seed: number;
}

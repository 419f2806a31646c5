import type { History } from '../history.js';

/** While most wall clocks are right, no other one moves the time of the cluster ahead. */
export const oneClockMovesNoTime = ({ witnessed }: History): string | undefined =>
  witnessed.get('one-clock-moves-no-time');

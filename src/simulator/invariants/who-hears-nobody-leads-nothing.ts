import type { History } from '../history.js';

/** A leader that hears no accept quorum gives up. */
export const whoHearsNobodyLeadsNothing = ({ witnessed }: History): string | undefined =>
  witnessed.get('who-hears-nobody-leads-nothing');

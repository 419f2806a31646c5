import type { History } from '../history.js';

/** A replica whose disk was wiped, zeroed or set back follows, and never votes. */
export const whoForgotDoesNotVote = ({ witnessed }: History): string | undefined =>
  witnessed.get('who-forgot-does-not-vote');

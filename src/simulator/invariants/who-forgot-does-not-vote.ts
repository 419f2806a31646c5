import type { History } from '../history.js';

/** A replica whose disk was wiped, zeroed, set back or found corrupt follows, and never votes. */
export const whoForgotDoesNotVote = ({ witnessed }: History): string | undefined =>
  witnessed.get('who-forgot-does-not-vote');

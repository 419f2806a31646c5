import type { History } from '../history.js';

/** Who is in no configuration, with the disk that it has, says nothing that counts there. */
export const whoWasRemovedDoesNotVote = ({ witnessed }: History): string | undefined =>
  witnessed.get('who-was-removed-does-not-vote');

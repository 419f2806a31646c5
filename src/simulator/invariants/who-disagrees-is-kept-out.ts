import type { History } from '../history.js';

/** A replica with another list of replicas than its disk was formed with serves nothing; one with another lease has no link. */
export const whoDisagreesIsKeptOut = ({ witnessed }: History): string | undefined =>
  witnessed.get('who-disagrees-is-kept-out');

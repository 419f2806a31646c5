import type { History } from '../history.js';

/** Of what waits in a replica there is never more than it lets wait: the rest has been refused. */
export const whatWaitsIsLimited = ({ witnessed }: History): string | undefined =>
  witnessed.get('what-waits-is-limited');

import type { History } from '../history.js';

/** What a replica has heard of the disks of its peers is on its own. */
export const disksAreRemembered = ({ witnessed }: History): string | undefined =>
  witnessed.get('disks-are-remembered');

import type { History } from '../history.js';

/** A durable snapshot goes only when a newer one is there, and a start takes the newest. */
export const theNewestSnapshotCounts = ({ witnessed }: History): string | undefined =>
  witnessed.get('the-newest-snapshot-counts');

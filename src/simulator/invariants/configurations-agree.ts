import type { History } from '../history.js';

/** A configuration of a shard has the same replicas and quorums wherever it is known. */
export const configurationsAgree = ({ witnessed }: History): string | undefined =>
  witnessed.get('configurations-agree');

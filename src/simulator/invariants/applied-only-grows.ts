import type { History } from '../history.js';

/** While a replica runs, what it has applied of a shard only grows. */
export const appliedOnlyGrows = ({ witnessed }: History): string | undefined =>
  witnessed.get('applied-only-grows');

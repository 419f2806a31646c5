import type { OfflineError } from '../offline/index.js';

/** Exit codes of what cannot be done with a file or a directory. */
export const OFFLINE_CODES: Readonly<Record<OfflineError['reason'], number>> = {
  'wrong-use': 2,
  'in-use': 3,
  damaged: 5,
};

import type { PaxosOptions } from '../../../src/paxos/index.js';

/** Small bounds, so that they are reached often. */
export const BASE: Omit<PaxosOptions, 'self' | 'configuration' | 'priority' | 'seed'> = {
  votes: true,
  electionTimeoutMs: 36,
  heartbeatIntervalMs: 10,
  leaseMs: 36,
  returns: { afterMs: 72, afterMsMax: 72, busyPerSecond: 1_000 },
  clockDriftRatio: 0.1,
  windowEntriesMax: 8,
  windowBytesMax: 4096,
  queuedEntriesMax: 64,
  queuedBytesMax: 65536,
  chunkBytesMax: 96,
  retainedEntries: 4,
};

/** How often what matters happened. */
export const NOTHING_REACHED = {
  ...{ elections: 0, snapshots: 0, transfers: 0, reads: 0, restarts: 0 },
  ...{ reconfigurations: 0, seals: 0, newDisks: 0, snapshotsOverSeals: 0 },
};

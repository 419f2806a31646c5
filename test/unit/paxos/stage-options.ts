import type { QuorumDescription } from '../../../src/paxos/index.js';

export interface StageOptions {
  readonly replicas?: number;
  /** How many of them, from the first on, are in the first configuration. All by default. */
  readonly members?: number;
  /** By default replica 1 has the highest, the last one 0. */
  readonly priorities?: readonly number[];
  readonly chunkBytesMax?: number;
  readonly leaseMs?: number;
  /** Majorities by default. */
  readonly quorums?: QuorumDescription;
}

export const TIMES = { electionTimeoutMs: 40, heartbeatIntervalMs: 10, leaseMs: 40, clockDriftRatio: 0.1 };
export const BOUNDS = {
  windowEntriesMax: 8,
  windowBytesMax: 4096,
  queuedEntriesMax: 64,
  queuedBytesMax: 65536,
  retainedEntries: 4,
};

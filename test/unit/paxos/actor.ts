import type { ReplicaId } from '../../../src/kernel/index.js';
import type { Effect, HardRecord, Paxos } from '../../../src/paxos/index.js';

export type Persist = Extract<Effect, { kind: 'persist' }>;

/** A replica on the stage: its core, and what its disk and its client have seen. */
export interface Actor {
  readonly id: ReplicaId;
  core: Paxos | undefined;
  life: number;
  disk: HardRecord[];
  writes: Persist[];
  writesBegun: number;
  diskStopped: boolean;
  values: string[];
  serving: boolean;
  stalledUntil: number;
}

export const newActor = (id: ReplicaId): Actor => ({
  id,
  core: undefined,
  life: 0,
  disk: [],
  writes: [],
  writesBegun: 0,
  diskStopped: false,
  values: [],
  serving: false,
  stalledUntil: 0,
});

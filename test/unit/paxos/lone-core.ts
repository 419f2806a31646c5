import { monotonicMs, replicaId, type ReplicaId, slot } from '../../../src/kernel/index.js';
import { createPaxos, type Effect, majority, type Message, type Paxos } from '../../../src/paxos/index.js';

/** A message without the number of its configuration. */
export type Body<M = Message> = M extends Message ? Omit<M, 'configuration'> : never;

export const ELECTION_TIMEOUT_MS = 40;

export interface LoneCore {
  readonly core: Paxos;
  readonly hear: (from: ReplicaId, body: Body, nowMs: number) => readonly Effect[];
}

/** Replica 1 of `replicas`, with nothing on disk, alone with a test that plays the others. */
export function loneCore(replicas: readonly ReplicaId[], votes: boolean): LoneCore {
  const core = createPaxos(
    {
      self: replicaId(1),
      configuration: { number: 1, replicas, quorums: majority(replicas) },
      priority: 0,
      votes,
      electionTimeoutMs: ELECTION_TIMEOUT_MS,
      heartbeatIntervalMs: 10,
      leaseMs: 40,
      clockDriftRatio: 0.1,
      windowEntriesMax: 8,
      windowBytesMax: 4096,
      queuedEntriesMax: 64,
      queuedBytesMax: 65536,
      chunkBytesMax: 20,
      retainedEntries: 4,
      seed: 1,
    },
    { records: [], snapshotThrough: slot(0) },
    monotonicMs(0),
  );
  return {
    core,
    hear: (from, body, nowMs) =>
      core.step({ kind: 'message', from, message: { configuration: 1, ...body } }, monotonicMs(nowMs)),
  };
}

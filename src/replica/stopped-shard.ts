import { monotonicMs, type ReplicaId, type ShardId, type Slot, slot } from '../kernel/index.js';
import { createMachine, type Machine } from '../machine/index.js';
import { type Ballot, createPaxos, type Entry, majority, RecordOrder } from '../paxos/index.js';
import { applyEntry, begunOf } from './apply-entry.js';
import { assertSnapshot } from './guarded-storage.js';
import type { LogRecord, Storage } from './ports.js';
import { readRecords } from './shard-log.js';
import { storedMachine } from './stored-machine.js';

/** One shard of a replica that does not run, as far as its disk says. */
export interface StoppedShard {
  readonly shard: ShardId;
  readonly promised: Ballot;
  /** Slots before it are in the snapshot alone. */
  readonly firstSlot: Slot;
  /** The last one that was accepted. */
  readonly lastSlot: Slot;
  /** All through here are known to be chosen. */
  readonly chosenThrough: Slot;
  /** With all of those applied. */
  readonly machine: Machine;
}

interface StoppedShardOptions {
  readonly self: ReplicaId;
  readonly shard: ShardId;
  readonly shards: number;
  /** Of this shard, in the order of the log. */
  readonly records: readonly LogRecord[];
  readonly storage: Pick<Storage, 'readSnapshot'>;
  /**
   * Apply what was accepted and is not known to be chosen, too: what a leader would choose that hears this replica alone. For the
   * last survivor of a cluster that is given up; it may be what no quorum ever accepted.
   */
  readonly appliesAccepted?: boolean;
}

/**
 * Reads a shard by the steps of a start: its snapshot, its records, the checks between them, the core, and what is known to be
 * chosen applied to the machine. Rejects with what would keep a replica from starting, or stop it at once.
 */
export async function readStoppedShard(options: StoppedShardOptions): Promise<StoppedShard> {
  const { self, shard, shards, storage } = options;
  const machine =
    (await storedMachine(storage, { shard, shards }, assertSnapshot)) ?? createMachine({ shard, shards });
  const snapshotThrough = machine.appliedThrough;
  const records = readRecords(options.records);
  const order = new RecordOrder(shard, snapshotThrough);
  for (const record of records) order.add(record);
  const now = monotonicMs(0);
  const paxos = createPaxos(coreOptions(self), { records, snapshotThrough, begun: begunOf(machine) }, now);
  for (const effect of paxos.step({ kind: 'tick' }, now))
    if (effect.kind === 'chosen') applyTo(machine, effect.firstSlot, effect.entries);
  if (options.appliesAccepted === true) {
    for (const record of paxos.hardState())
      if (record.kind === 'accepted') applyTo(machine, record.firstSlot, record.entries);
  }
  const { promised, firstSlot, lastSlot, chosenThrough } = paxos.status(now);
  return { shard, promised, firstSlot, lastSlot, chosenThrough, machine };
}

/** What the machine has not applied yet of these entries. */
function applyTo(machine: Machine, firstSlot: Slot, entries: readonly Entry[]): void {
  entries.forEach((entry, index) => {
    const at = slot(firstSlot + index);
    if (at <= machine.appliedThrough) return;
    try {
      applyEntry(machine, at, entry);
    } catch (error) {
      throw new Error(`slot ${at} cannot be applied: ${(error as Error).message}`, { cause: error });
    }
  });
}

/** Of a core that has no vote and hears nobody: it says what it knows, and does nothing more. */
const coreOptions = (self: ReplicaId): Parameters<typeof createPaxos>[0] => ({
  self,
  configuration: { number: 1, replicas: [self], quorums: majority([self]) },
  priority: 0,
  votes: false,
  seed: 0,
  electionTimeoutMs: 1_000,
  heartbeatIntervalMs: 100,
  leaseMs: 1_000,
  clockDriftRatio: 0,
  windowEntriesMax: 1,
  windowBytesMax: 1,
  queuedEntriesMax: 1,
  queuedBytesMax: 1,
  chunkBytesMax: 1024 * 1024,
  retainedEntries: 0,
});

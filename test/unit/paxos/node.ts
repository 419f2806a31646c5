import {
  type MonotonicMs,
  monotonicMs,
  type ReplicaId,
  shardId,
  type Slot,
  slot,
} from '../../../src/kernel/index.js';
import {
  type Ballot,
  BALLOT_ZERO,
  type Begun,
  type HardRecord,
  maxBallot,
  type Paxos,
  type PersistId,
  RecordOrder,
  type Send,
} from '../../../src/paxos/index.js';

interface Durable {
  promised: Ballot;
  readonly accepted: Map<Slot, Ballot>;
}

interface PendingWrite {
  readonly id: PersistId;
  readonly records: readonly HardRecord[];
  readonly sync: boolean;
  readonly then: readonly Send[];
}

/** A replica of the simulated cluster: its core with its clock and its disk. */
export class Node {
  core: Paxos | undefined;
  /** Counts its starts: what an earlier life has scheduled no longer happens. */
  life = 0;
  pausedUntil = 0;
  disk: HardRecord[] = [];
  snapshotThrough: Slot = slot(0);
  /** The configuration of what it has applied, and of its snapshot; undefined for the first. */
  begun: Begun | undefined;
  snapshotBegun: Begun | undefined;
  /** Counts its disks: what the one before promised is lost. */
  disks = 1;
  #order = new RecordOrder(shardId(0), slot(0));
  pending: PendingWrite[] = [];
  diskBusy = false;
  applied = 0;
  /** The highest ballot that it revealed to anyone, by configuration. */
  revealed = new Map<number, Ballot>();
  /** What its disk holds, kept apart from the core so that the core can be checked against it. By configuration. */
  durable = new Map<number, Durable>();
  #configuration = 1;

  constructor(
    readonly id: ReplicaId,
    /** How fast its clock runs. */
    readonly rate: number,
  ) {}

  /** Its clock at the true time `time`. */
  clock(time: number): MonotonicMs {
    return monotonicMs(time * this.rate);
  }

  get incarnation(): string {
    return `disk ${this.disks} of ${this.id}`;
  }

  /** A new disk in place of the one that it had. */
  wipe(): void {
    this.disks++;
    this.disk = [];
    this.snapshotThrough = slot(0);
    this.begun = this.snapshotBegun = undefined;
    this.#configuration = 1;
    this.durable = new Map();
    this.revealed = new Map();
  }

  durableIn(configuration: number): Durable {
    let durable = this.durable.get(configuration);
    if (durable === undefined)
      this.durable.set(configuration, (durable = { promised: BALLOT_ZERO, accepted: new Map() }));
    return durable;
  }

  /** What a start reads. Throws when the records contradict each other. */
  read(): readonly HardRecord[] {
    this.#order = new RecordOrder(shardId(0), this.snapshotThrough);
    for (const record of this.disk) this.#order.add(record);
    return this.disk;
  }

  store(records: readonly HardRecord[]): void {
    for (const record of records) {
      if (record.kind === 'configuration') this.#configuration = record.configuration.number;
      const durable = this.durableIn(this.#configuration);
      this.#order.add(record);
      this.disk.push(record);
      if (record.kind === 'promised') durable.promised = maxBallot(durable.promised, record.ballot);
      if (record.kind === 'accepted') {
        durable.promised = maxBallot(durable.promised, record.ballot);
        record.entries.forEach((_, i) => durable.accepted.set(slot(record.firstSlot + i), record.ballot));
      }
    }
  }
}

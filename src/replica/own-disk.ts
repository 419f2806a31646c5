import { FIRST_FEATURE_LEVEL } from '../machine/index.js';
import { type MonotonicMs, monotonicMs, type ReplicaId, replicaId } from '../kernel/index.js';
import { DiskPositions } from './disk-positions.js';
import { encodeFrame } from './frames.js';
import { helloOf } from './hello.js';
import { disksOf, isMember, numberOf } from './membership.js';
import type { ReplicaOptions } from './options.js';
import type { Peers } from './peers.js';
import type { DiskIdentity, Hello, KeptMembership } from './ports.js';
import { claimDisk } from './recovery.js';

/** Peers of this level and above know the frame. */
const POSITION_LEVEL = 2;

interface OwnDiskOptions {
  readonly options: ReplicaOptions;
  readonly peers: Peers;
  readonly guard: (action: () => void) => void;
  readonly fatal: (reason: string) => void;
}

/** Whose disk this is, how far it has come, and what its owner remembers of the disks of its peers. */
export class OwnDisk {
  readonly #options: ReplicaOptions;
  readonly #peers: Peers;
  readonly #guard: (action: () => void) => void;
  readonly #fatal: (reason: string) => void;
  readonly #positions = new DiskPositions();
  #identity: DiskIdentity | undefined;
  #durable: DiskIdentity | undefined;
  #claimedAt: MonotonicMs = monotonicMs(0);

  constructor({ options, peers, guard, fatal }: OwnDiskOptions) {
    this.#options = options;
    this.#peers = peers;
    this.#guard = guard;
    this.#fatal = fatal;
  }

  async claim(): Promise<void> {
    this.#claimedAt = this.#options.clock.monotonic();
    this.#identity = this.#durable = await claimDisk(this.#options);
    this.#positions.restore(this.#identity);
    this.#peers.remember(this.#identity.levels ?? {});
    this.#peers.uses(this.#identity.level ?? FIRST_FEATURE_LEVEL);
  }
  /** Known from `claim` on. */
  get identity(): DiskIdentity {
    return this.#identity!;
  }
  /** Whether the disk says it by now. */
  remembers(formedWith: DiskIdentity['formedWith']): boolean {
    return this.#durable?.formedWith === formedWith;
  }
  save(identity: DiskIdentity, then: () => void): void {
    this.#identity = identity;
    this.#options.storage.storage.saveIdentity(identity).then(
      () => {
        this.#durable = identity;
        this.#guard(then);
      },
      (error: unknown) => this.#fatal(`the identity file could not be written: ${String(error)}`),
    );
  }
  /** Other disks have a vote from now on. What was known of one that has none any more is forgotten. */
  membersChanged(membership: KeptMembership): void {
    const { identity } = this;
    const before = disksOf(identity);
    this.#positions.forget((id) => before[id] !== membership.disks[id]);
    this.save({ ...identity, membership, positions: this.#positions.all }, () => undefined);
    this.#options.transport.helloChanged();
  }
  hello(): Hello {
    const hello = helloOf(this.identity, this.#positions.all, this.#options);
    return this.leaving ? { ...hello, leaving: true } : hello;
  }
  /** Tells the peers that this replica is about to stop. */
  leave(): void {
    this.#peers.leave();
    this.#options.transport.helloChanged();
  }
  get leaving(): boolean {
    return this.#peers.isLeaving(this.#options.self);
  }

  tick(now: MonotonicMs): void {
    const position = this.#positions.toTell(this.#options.storage.storage.position());
    if (position !== undefined) {
      const frame = encodeFrame({ kind: 'position', position });
      for (const peer of this.#peers.upSince(POSITION_LEVEL))
        this.#options.transport.send(peer, frame, 'droppable');
    }
    const { earlierLeaseMs = Infinity } = this.identity;
    if (now - this.#claimedAt > earlierLeaseMs) this.#forgetEarlierLease();
    const positions = this.#positions.toSave(now);
    if (positions !== undefined) this.save({ ...this.identity, positions }, () => undefined);
  }

  /** Every grant of an earlier run has ended. */
  #forgetEarlierLease(): void {
    const { earlierLeaseMs: _, ...rest } = this.identity;
    this.save(rest, () => undefined);
  }

  /** Only of the disk that the cluster was formed with: another one begins again, and does not vote. */
  heard(from: ReplicaId, position: number): void {
    if (this.#peers.met.get(from)?.incarnation === disksOf(this.identity)[from])
      this.#positions.heard(from, position, this.#options.clock.monotonic());
  }

  /** Written down, so that a peer that is down at the next start does not count as the oldest version. */
  #noteLevels(): void {
    const { together: levels } = this.#peers;
    const { levels: known = {} } = this.identity;
    if (Object.entries(levels).some(([id, level]) => known[id] !== level))
      this.save({ ...this.identity, levels }, () => undefined);
  }

  /** The log, or a peer, says that the cluster uses more than this disk says. */
  levelRaised(): void {
    const { levelSaid: level } = this.#peers;
    const { formedWith } = this.identity;
    if (level <= (this.identity.level ?? FIRST_FEATURE_LEVEL) || Object.keys(formedWith).length === 0) return;
    this.save({ ...this.identity, level }, () => undefined);
    this.#options.transport.helloChanged();
  }

  /** A peer may know more of the others than this replica, which was cut off from them. */
  #heardOfOthers(hello: Hello): void {
    const { positions = {} } = hello;
    const [known, theirs] = [disksOf(this.identity), disksOf(hello)];
    for (const [id, position] of Object.entries(positions)) {
      const other = replicaId(Number(id));
      if (other === this.identity.replicaId || known[id] === undefined || known[id] !== theirs[id]) continue;
      this.#positions.heard(other, position, this.#options.clock.monotonic());
    }
  }

  /**
   * A replica that gets no link may know better, too: that this one formed its cluster with another disk, and with others. Where
   * no peer confirms this disk, it serves what is not the cluster.
   */
  refused(hello: Hello): void {
    const { replicaId: self, clusterId, incarnation } = this.identity;
    const { replicaId: from } = hello;
    if (numberOf(hello) < numberOf(this.identity)) return;
    const theirs = disksOf(hello);
    const expected = theirs[self];
    // A disk that never had a vote has none to lose.
    if (expected === undefined || expected === incarnation || !isMember(this.identity)) return;
    for (const peer of this.#peers.up) {
      const other = this.#peers.met.get(peer);
      if (other !== undefined && disksOf(other)[self] === incarnation) return;
    }
    this.#fatal(
      `replica ${from} remembers that cluster ${clusterId} was formed with another data directory of this replica (${expected}), and with ` +
        `replicas ${Object.keys(theirs).join(', ')}. Bring that directory back, and start with the list of replicas that the cluster was first started with`,
    );
  }

  /** `votes`: this replica may have voted already. */
  met(peer: ReplicaId, hello: Hello, votes: boolean): void {
    if (hello.position !== undefined) this.heard(peer, hello.position);
    this.#heardOfOthers(hello);
    this.#noteLevels();
    this.levelRaised();
    const { identity } = this;
    const own = this.#options.storage.storage.position();
    const remembered = hello.positions?.[identity.replicaId] ?? 0;
    if (remembered <= own || disksOf(hello)[identity.replicaId] !== identity.incarnation) return;
    // What it promised since is lost: it is from now on another disk.
    const reason =
      `this data directory is an older copy: it stands at record ${own}, and replica ${peer} remembers that it stood ` +
      `at ${remembered}`;
    const { entropy, log } = this.#options;
    log.error(
      `${reason}. This replica will follow, but must not vote. Stop it and bring the newer directory back.`,
    );
    this.save({ ...identity, incarnation: entropy.uuid() }, () => {
      if (votes) this.#fatal(reason);
    });
  }
}

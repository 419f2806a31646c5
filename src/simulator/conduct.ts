import { type ReplicaId, type ShardId, shardId } from '../kernel/index.js';
import type { Machine } from '../machine/index.js';
import { decodeFrame, type Replica, type ReplicaStatus } from '../replica/index.js';
import { identityOn, isFounders } from './identity-on-disk.js';
import type { History, Witness } from './history.js';
import { type SimulatedProcess, WALL_STARTS_AT } from './process.js';
import type { Setup } from './setup.js';
import type { Station } from './strike.js';
import type { VirtualTime } from './virtual-time.js';

/** A link to one that disagrees ends within this; what was heard of a disk is on its way to the next one for less. Milliseconds. */
const SETTLED_MS = 1_500;
const REMEMBERED_MS = 3_000;
/** It is written down again within five seconds. Milliseconds. */
const REMEMBERED_LATE_MS = 6_500;
/** A leader whom no quorum answers goes on for an election's time, and for more where the network is uneven. */
const UNHEARD_ELECTIONS = 4;
const UNHEARD_MS = 500;

/** Clocks that are right differ by what they drift, and by how long their answers take. Milliseconds. */
const CLOCK_AHEAD_MS = 3_000;

/** What no replica may be seen doing, at any moment. */
export class Conduct {
  readonly #setup: Setup;
  readonly #time: VirtualTime;
  readonly #history: History;
  readonly #stations: readonly Station[];
  /** Through where each process was seen to have applied each shard. */
  readonly #applied = new WeakMap<SimulatedProcess, number[]>();

  #healed:
    { readonly at: number; readonly positions: ReadonlyMap<ReplicaId, number | undefined> } | undefined;

  constructor(setup: Setup, time: VirtualTime, history: History, stations: readonly Station[]) {
    this.#setup = setup;
    this.#time = time;
    this.#history = history;
    this.#stations = stations;
  }

  get #changes(): boolean {
    return this.#setup.changes === true;
  }
  /** Those that formed the cluster. */
  get #founders(): readonly Station[] {
    return this.#stations.slice(0, this.#setup.replicas);
  }

  #seen(witness: Witness, what: string): void {
    if (!this.#history.witnessed.has(witness))
      this.#history.witnessed.set(witness, `at ${this.#time.now} ms ${what}`);
  }

  /** At intervals. */
  look(station: Station, process: SimulatedProcess): void {
    // It costs more than all that is looked at, and most of the time nobody needs it.
    let known: ReplicaStatus | undefined;
    const status = (): ReplicaStatus => (known ??= process.replica!.status());
    const { id, odd, damaged, disk } = station;
    if (station.forgot && status().standing === 'voter' && !wasReplaced(process.replica!))
      this.#seen('who-forgot-does-not-vote', `replica ${id} votes, and its disk has forgotten`);
    const others = odd.replicas !== undefined && !damaged && status().shards.length > 0 && identityOn(disk);
    // After a change of the replicas a list says only where to look for them.
    if (others && isFounders(others))
      this.#seen(
        'who-disagrees-is-kept-out',
        `replica ${id} serves with a list of ${odd.replicas} replicas, and its disk belongs to ${this.#setup.replicas}`,
      );
    this.#links(station, process, status);
    this.#clock(process);
    this.#hears(process, status);
  }

  /** Replicas whose leases differ get no link: each runs with the settings that it started with last. */
  linked(...ids: readonly [ReplicaId, ReplicaId]): void {
    const [one, other] = ids.map((id) => this.#stations.find((station) => station.id === id)?.odd.leaseMs);
    if (one !== other)
      this.#seen(
        'who-disagrees-is-kept-out',
        `replicas ${ids.join(' and ')} made a link, and their leases last ${one ?? this.#setup.leaseMs} and ${other ?? this.#setup.leaseMs} ms`,
      );
  }

  /** Nor do they keep one. */
  #links({ id, odd }: Station, process: SimulatedProcess, status: () => ReplicaStatus): void {
    if (!this.#runsFor(process, SETTLED_MS)) return;
    if (this.#stations.every((other) => other.odd.leaseMs === odd.leaseMs)) return;
    for (const { id: peer, up } of status().peers) {
      const other = this.#stations.find((station) => station.id === peer);
      if (!up || other === undefined || other.odd.leaseMs === odd.leaseMs) continue;
      if (other.process?.alive === true && this.#runsFor(other.process, SETTLED_MS))
        this.#seen(
          'who-disagrees-is-kept-out',
          `replicas ${id} and ${peer} have a link, and their leases last ${odd.leaseMs ?? this.#setup.leaseMs} and ${other.odd.leaseMs ?? this.#setup.leaseMs} ms`,
        );
    }
  }
  #runsFor(process: SimulatedProcess, ms: number): boolean {
    return this.#time.now - process.runsSince > ms;
  }

  /** A minority of wrong wall clocks moves no time. */
  #clock({ replica }: SimulatedProcess): void {
    const { shards, quorums, olderLevel } = this.#setup;
    if (this.#changes) return;
    const wrong = this.#stations.filter(({ wallJumped }) => wallJumped).length;
    if (quorums !== undefined || olderLevel !== undefined || 2 * wrong >= this.#stations.length) return;
    for (let shard = 0; shard < shards; shard++) {
      // What a replica shows of a shard is its machine.
      const { clock } = replica!.peek(shardId(shard)) as Machine;
      const aheadMs = clock - WALL_STARTS_AT - this.#time.now;
      if (aheadMs > CLOCK_AHEAD_MS)
        this.#seen(
          'one-clock-moves-no-time',
          `the time of shard ${shard} is ${aheadMs} ms ahead, and ${wrong} of ${this.#stations.length} wall clocks are wrong`,
        );
    }
  }

  /** Who leads hears an accept quorum, or gives up. */
  #hears(process: SimulatedProcess, status: () => ReplicaStatus): void {
    const { electionTimeoutMs, heartbeatIntervalMs, shards: count } = this.#setup;
    const silentMs = UNHEARD_ELECTIONS * electionTimeoutMs + 3 * heartbeatIntervalMs + UNHEARD_MS;
    if (!this.#runsFor(process, silentMs)) return;
    const leads = (_: unknown, shard: number): boolean =>
      process.replica!.leaderOf(shardId(shard)) === process.id;
    if (!Array.from({ length: count }, leads).includes(true)) return;
    const { self, shards } = status();
    for (const { shard, leadership, peers, configuration } of shards) {
      if (leadership.role !== 'leader') continue;
      const heard = peers.filter(({ heardMsAgo = Infinity }) => heardMsAgo <= silentMs);
      const ids = new Set([self, ...heard.map(({ id }) => id)]);
      if (!configuration.quorums.isAcceptQuorum(ids))
        this.#seen(
          'who-hears-nobody-leads-nothing',
          `replica ${self} leads shard ${shard}, and has heard only ${[...ids].join(', ')} for ${silentMs} ms`,
        );
    }
  }

  /** A replica is about to say its first word about its shards. */
  speaks({ id, odd, disk }: Station, replica: Replica): void {
    if (replica.status().standing !== 'voter' || odd.replicas !== undefined) return;
    const { formedWith = {} } = identityOn(disk) ?? {};
    const lacking = this.#founders.filter((station) => formedWith[station.id] === undefined);
    if (lacking.length > 0)
      this.#seen(
        'a-voter-remembers-its-peers',
        `replica ${id} votes, and its disk does not say with which disk of replica ${lacking.map((station) => station.id).join(', ')} the cluster was formed`,
      );
  }

  applied(process: SimulatedProcess, shard: ShardId, through: number): void {
    const applied = this.#applied.get(process) ?? [];
    if (through < (applied[shard] ?? 0))
      this.#seen(
        'applied-only-grows',
        `replica ${process.id} has applied shard ${shard} through slot ${through}, and had through ${applied[shard]}`,
      );
    applied[shard] = through;
    this.#applied.set(process, applied);
  }

  /** A message leaves a replica whose disk has forgotten. */
  sentByWhoForgot(id: ReplicaId, bytes: Uint8Array): void {
    const frame = decodeFrame(bytes);
    if (frame.kind !== 'paxos') return;
    for (const { message } of frame.messages)
      // In a later configuration its new disk may have the vote.
      if (message.configuration > 1) continue;
      else if (message.kind === 'promise' || ('votes' in message && message.votes))
        this.#seen(
          'who-forgot-does-not-vote',
          `replica ${id} sends a vote (${message.kind}), and its disk has forgotten`,
        );
  }

  /** All heals now. */
  heals(): void {
    this.#healed = {
      at: this.#time.now,
      positions: new Map(this.#stations.map(({ id, process }) => [id, process?.position()])),
    };
  }

  /** The world ends: who has had a link to others for a while has written down how far their disks have come. */
  ends(core: readonly ReplicaId[]): void {
    const settled = this.#stations.filter(
      ({ id, damaged, process }) =>
        core.includes(id) &&
        !damaged &&
        process?.alive === true &&
        process.replica?.status().standing === 'voter' &&
        this.#runsFor(process, REMEMBERED_MS),
    );
    if (this.#setup.olderLevel !== undefined || this.#changes) return;
    const { at = Infinity, positions: then } = this.#healed ?? {};
    const isLate = this.#time.now - at > REMEMBERED_LATE_MS;
    for (const { id, disk } of settled) {
      const { positions = {} } = identityOn(disk) ?? {};
      const lacking = settled.filter((other) => {
        if (other.id === id) return false;
        const known = positions[other.id];
        return known === undefined || (isLate && known < (then?.get(other.id) ?? 0));
      });
      if (lacking.length > 0)
        this.#seen(
          'disks-are-remembered',
          `the disk of replica ${id} does not say how far that of replica ${lacking.map((other) => other.id).join(', ')} has come`,
        );
    }
  }
}

/** Its new disk got the vote of the one that has forgotten. */
const wasReplaced = (replica: Replica): boolean =>
  replica.status().shards.every(({ configuration }) => configuration.number > 1);

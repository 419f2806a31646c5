import { type Random, type ReplicaId, shardId } from '../kernel/index.js';
import { plannedReplicas, type ReplicasView } from '../machine/index.js';
import type { QuorumDescription } from '../paxos/index.js';
import type { NewReplica, Replica, ReplicaChange } from '../replica/index.js';
import { KAFKA_PORT, PEER_PORT } from './kafka-carrier.js';
import type { FaultyWorld, Station } from './strike.js';

const FACTS = shardId(0);
const CALLED_OFF = 0.03;
/** The same, of one that is to take the place of another. */
const GIVES_BACK = 0.2;
/** Of looks at a plan that seals: another one takes its place, and leads back or on. */
const SUPERSEDED = 0.15;
const LED_BACK = 0.5;
const LEADER_DIES = 0.06;
/** A plan that prepares for longer is called off: a disk that it knows may be lost. Milliseconds. */
const PREPARES_MAX_MS = 12_000;
/** How long a replica runs that is in no plan: one that was removed has learned of it, or not. Milliseconds. */
const IDLE_MAX_MS = 3_000;

interface ChangedWorld extends FaultyWorld {
  start(station: Station): void;
}

const ranked = ({ number, lastNumber, plan }: ReplicasView): number =>
  (number + lastNumber) * 2 + (plan === null ? 0 : 1);
/** The newest that any of them knows. */
const newestIn = (running: readonly Replica[]): ReplicasView | undefined =>
  running
    .map((replica) => replica.peek(FACTS).replicas)
    .reduce<ReplicasView | undefined>(
      (newest, each) => (newest !== undefined && ranked(newest) > ranked(each) ? newest : each),
      undefined,
    );

/** Those that a plan names. */
export function plannedIn(running: readonly Replica[]): ReadonlySet<number> {
  const newest = newestIn(running);
  return new Set(newest === undefined ? [] : plannedReplicas(newest).map(({ id }) => id));
}

/** Those of the cluster, which `founders` have formed. */
export function membersIn(running: readonly Replica[], founders: number): ReadonlySet<number> {
  const current = newestIn(running)?.current;
  return new Set(current?.replicas.map(({ id }) => id) ?? Array.from({ length: founders }, (_, i) => i + 1));
}

/**
 * An operator who changes the replicas, one plan after the other: starts new ones on empty disks, removes some, three to five and
 * back, chooses other quorums, replaces lost disks; calls plans off; and stops those that were removed. `running`: undefined once
 * there is nothing more to do.
 */
export function rosterChanger(
  world: ChangedWorld,
  random: Random,
  running: () => readonly Replica[] | undefined,
): void {
  const changer = new RosterChanger(world, random);
  const again = (): void => {
    world.time.after(300 + random.below(700), () => {
      const replicas = running();
      if (replicas === undefined) return;
      if (replicas.length > 0) changer.look(random.pick(replicas), newestIn(replicas)!);
      again();
    });
  };
  again();
}

class RosterChanger {
  readonly #world: ChangedWorld;
  readonly #random: Random;
  readonly #since = new Map<number, number>();
  readonly #idleSince = new Map<Station, number>();

  readonly #founders: number;

  constructor(world: ChangedWorld, random: Random) {
    this.#world = world;
    this.#founders = world.placed.length;
    this.#random = random;
  }

  look(at: Replica, newest: ReplicasView): void {
    const { view, current, up } = at.replicas();
    this.#stopIdle(newest);
    if (view.plan !== null) return this.#disturb(at, view.plan);
    const lost = current.find(({ id, incarnation }) => up.has(id) && up.get(id) !== incarnation);
    if (lost !== undefined) return this.#ask(at, { replace: [lost.id] });
    if (at.status().shards.length > 0)
      this.#ask(
        at,
        this.#next(
          at,
          current.map(({ id }) => id),
        ),
      );
  }

  #next(at: Replica, ids: readonly ReplicaId[]): ReplicaChange {
    const random = this.#random;
    const leader = at.leaderOf(FACTS);
    const gone = (count: number): ReplicaId[] => {
      const picked = leader !== undefined && ids.includes(leader) && random.chance(0.5) ? [leader] : [];
      while (picked.length < count) {
        const id = random.pick(ids);
        if (!picked.includes(id)) picked.push(id);
      }
      return picked;
    };
    // Other quorums are of so many replicas.
    const quorums =
      at.replicas().quorums.kind === 'majority' ? {} : { quorums: { kind: 'majority' } as const };
    const kind = random.next();
    if (ids.length >= 4 && kind < 0.45) return { quorums: this.#quorums(at, ids) };
    if (ids.length === 3 && kind < 0.3) {
      const added = this.#spares(1);
      return { add: added, remove: gone(added.length), ...quorums };
    }
    if (ids.length >= 5) return { remove: gone(random.chance(0.7) ? 2 : 1), ...quorums };
    if (ids.length === 4 && kind < 0.7) return { remove: gone(1), ...quorums };
    return { add: this.#spares(ids.length === 3 && random.chance(0.7) ? 2 : 1), ...quorums };
  }

  #quorums(at: Replica, ids: readonly ReplicaId[]): QuorumDescription {
    if (at.replicas().quorums.kind !== 'majority') return { kind: 'majority' };
    if (this.#random.chance(0.5)) return { kind: 'flexible', prepare: ids.length - 1, accept: 2 };
    const heavy = this.#random.pick(ids);
    const weights = Object.fromEntries(ids.map((id) => [id, id === heavy ? 2 : 1]));
    const accept = Math.floor((ids.length + 1) / 2);
    return { kind: 'weighted', weights, accept, prepare: ids.length + 2 - accept };
  }

  /** Starts them now or a little later. */
  #spares(count: number): readonly NewReplica[] {
    const { stations, time } = this.#world;
    const spare = stations.filter(({ isGone, lives }) => isGone && lives === 0).slice(0, count);
    for (const station of spare) {
      station.isGone = false;
      time.after(this.#random.below(2_000), () => this.#world.start(station));
    }
    return spare.map(({ id }) => ({
      ...{ id, peer: { host: 'simulated', port: PEER_PORT + id }, http: null },
      kafka: { host: 'simulated', port: KAFKA_PORT + id },
    }));
  }

  #ask(at: Replica, change: ReplicaChange): void {
    const { time, trace } = this.#world;
    const planned = at.planReplicas(change);
    const named = new Set(change.add?.map(({ id }) => id));
    const refused = (): void => {
      for (const station of this.#world.stations) if (named.has(station.id)) this.#stop(station);
    };
    if ('problem' in planned) {
      trace.note(time.now, `replica ${at.self} refuses a change: ${planned.problem}`);
      return refused();
    }
    trace.note(time.now, `replica ${at.self} is asked to ${planned.command.what}`);
    at.submitAnywhere(FACTS, planned.command, (outcome) => {
      if (outcome.kind === 'ok' && outcome.reply.error !== 'NONE') refused();
      if (outcome.kind === 'not-leader' || outcome.kind === 'overloaded') refused();
    });
  }

  #stop(station: Station): void {
    station.isGone = true;
    this.#world.kill(station, true);
  }

  #disturb(at: Replica, { number, phase, over }: NonNullable<ReplicasView['plan']>): void {
    const { time, stations } = this.#world;
    const since = this.#since.get(number) ?? time.now;
    this.#since.set(number, since);
    const tooLong = time.now - since > PREPARES_MAX_MS;
    if (phase === 'sealing' && this.#random.chance(SUPERSEDED)) return this.#leadOn(at);
    // One that seals cannot be called off any more: that is asked for as well.
    if (this.#random.chance(over === null ? CALLED_OFF : GIVES_BACK) || (phase === 'preparing' && tooLong))
      return at.submitAnywhere(FACTS, { kind: 'replicas.cancel', number }, () => undefined);
    if (!this.#random.chance(LEADER_DIES)) return;
    const leader = stations.find(({ process }) => process?.replica?.serves(FACTS) === true);
    if (leader !== undefined) this.#world.kill(leader, this.#random.chance(0.7));
  }

  /** A plan in the place of the one that seals. */
  #leadOn(at: Replica): void {
    if (this.#random.chance(LED_BACK)) return this.#ask(at, { back: true });
    const ids = at.replicas().view.plan!.replicas.map(({ id }) => id);
    if (ids.length > 3)
      return this.#ask(at, {
        instead: true,
        remove: [this.#random.pick(ids)],
        quorums: { kind: 'majority' },
      });
    this.#ask(at, { instead: true, add: this.#spares(1), quorums: { kind: 'majority' } });
  }

  /** Those that are in no plan any more, or never came into one. */
  #stopIdle({ plan, current }: ReplicasView): void {
    const { stations, time } = this.#world;
    const inUse = [...plannedReplicas({ plan }), ...(current?.replicas ?? [])].map(({ id }) => id);
    for (const station of stations) {
      const isFounder = current === null && stations.indexOf(station) < this.#founders;
      const isIdle = !station.isGone && !isFounder && !inUse.includes(station.id);
      if (!isIdle) this.#idleSince.delete(station);
      else if (!this.#idleSince.has(station)) this.#idleSince.set(station, time.now);
      else if (time.now - this.#idleSince.get(station)! > IDLE_MAX_MS) this.#stop(station);
    }
  }
}

import { crc32c, type ReplicaId, type ShardId, shardId } from '../kernel/index.js';
import { type Machine, restoreMachine } from '../machine/index.js';
import type { Replica } from '../replica/index.js';
import { GIVE_UP_AFTER_MS, type PendingRequest, TOPIC_PARTITIONS } from './clients.js';
import type { History } from './history.js';
import { type Member, MEMBERS_GROUP, PARTITIONS, SESSION_MS } from './members.js';
import { type SdkWorker, WORKERS_GROUP } from './sdk-worker.js';
import type { Setup } from './setup.js';
import type { VirtualTime } from './virtual-time.js';

/** How long a healed cluster may take until every client has been served: the time after which it gives up, and four elections. */
const SERVED_WITHIN_MS = 5_000;
const HEALED_ELECTIONS = 4;
const SAMPLE_EVERY_MS = 100;
/** How long a plan may take until it ends: it learns of new replicas, seals, and is looked at once a second. */
const PLANNED_WITHIN_MS = 20_000;
const LEFT_BEHIND_MS = 750;
/** How long what a replica lacks may take to reach it, beside four elections. */
const LEVEL_WITHIN_MS = 3_000;
/** A shard may get so many new ballots while nothing goes wrong: leadership returns to the preferred leader. */
const QUIET_ROUNDS_MAX = 2;

interface HealedOptions {
  readonly setup: Setup;
  readonly time: VirtualTime;
  readonly history: History;
  readonly members: readonly Member[];
  readonly workers: readonly SdkWorker[];
  readonly pending: ReadonlySet<PendingRequest>;
  /** Replicas that run and of which nothing is wrong any more. */
  readonly core: () => readonly Replica[];
  /** Whether retention can be judged: the wall clocks of a quorum have always been right. */
  readonly timeIsSure: boolean;
  readonly violated: () => boolean;
}

/** What a cluster owes its clients once all that must has healed. What it does not do in time goes to `history.stuck`. */
export class HealedCluster {
  readonly #options: HealedOptions;

  constructor(options: HealedOptions) {
    this.#options = options;
  }

  /** Every client must be served: a commit of each committer, an access to each record, a stable group. */
  async watch(): Promise<void> {
    const { time, history, violated } = this.#options;
    if (this.#options.setup.changes === true && !(await this.#untilPlanned())) return;
    const healedAt = time.now;
    const marks = history.commits.map(({ acknowledged }) => acknowledged);
    const spaces = this.#spacesServed(0);
    const waiting = (): string[] => {
      const since = this.#spacesServed(healedAt);
      return [
        ...history.commits
          .filter(({ acknowledged }, index) => acknowledged <= marks[index]!)
          .map(({ group }) => group),
        ...[...spaces].filter((space) => !since.has(space)),
        ...this.#unsettled(healedAt),
        ...this.#unwritten(healedAt),
        ...this.#unworked(healedAt),
      ];
    };
    const end = time.now + SERVED_WITHIN_MS + this.#elections();
    while (time.now < end && waiting().length > 0 && !violated()) await this.#pass(SAMPLE_EVERY_MS);
    const left = waiting();
    for (const name of left) history.stuck.push(`nobody was answered about ${name} after all had healed`);
    if (left.length > 0) return;
    await this.#quietly();
    await this.#untilLevel();
    this.#compareStates();
  }

  /** A plan for the replicas ends, or says why it cannot and is called off. */
  async #untilPlanned(): Promise<boolean> {
    const { time, history, core, violated } = this.#options;
    const end = time.now + PLANNED_WITHIN_MS + 4 * this.#elections();
    const open = (): string | undefined => {
      for (const replica of core()) {
        const { view, waits } = replica.replicas();
        if (view.plan === null) continue;
        const { number, what, phase } = view.plan;
        return `plan ${number} (${what}) is ${phase} at replica ${replica.self}, and waits for: ${[...waits.values()].join('; ')}`;
      }
      return undefined;
    };
    while (time.now < end && open() !== undefined && !violated()) await this.#pass(SAMPLE_EVERY_MS);
    const left = open();
    if (left !== undefined) history.stuck.push(`after all had healed ${left}`);
    // Leaders come home, and clients find them.
    else await this.#pass(SERVED_WITHIN_MS);
    return left === undefined;
  }

  #pass(ms: number): Promise<void> {
    const { time, violated } = this.#options;
    return time.runThrough(time.now + ms, violated);
  }

  /** Once all are served nobody loses a place in a group, and leadership stays where it is. */
  async #quietly(): Promise<void> {
    const { setup, history, members, workers, violated } = this.#options;
    const living = members.filter(({ gone }) => !gone);
    const expulsions = living.map((member) => member.expulsions);
    const losses = workers.map((worker) => worker.losses);
    const rounds = this.#rounds();
    // A while longer, so that what was left behind is read.
    await this.#pass(setup.lingers && setup.members > 0 ? 2 * SESSION_MS : LEFT_BEHIND_MS);
    if (violated()) return;
    living.forEach((member, index) => {
      if (member.expulsions > expulsions[index]!)
        history.stuck.push('a member that sent its heartbeats lost its place in a healed cluster');
    });
    workers.forEach((worker, index) => {
      if (!worker.gone && worker.losses > losses[index]!)
        history.stuck.push('a worker of the SDK lost what it owned in a healed cluster');
    });
    for (const [shard, round] of this.#rounds())
      if (round - (rounds.get(shard) ?? round) > QUIET_ROUNDS_MAX)
        history.stuck.push(
          `shard ${shard} had ${round - rounds.get(shard)!} campaigns while nothing went wrong`,
        );
  }

  /** The highest ballot of each shard. */
  #rounds(): ReadonlyMap<ShardId, number> {
    const rounds = new Map<ShardId, number>();
    for (const replica of this.#options.core())
      for (const { shard, promised } of replica.status().shards)
        rounds.set(shard, Math.max(rounds.get(shard) ?? 0, promised.round));
    return rounds;
  }

  /** What is dealt out belongs to members that live, each part to one, in one generation. */
  #unsettled(healedAt: number): readonly string[] {
    const living = this.#options.members.filter(({ gone }) => !gone);
    if (living.length === 0) return [];
    const owned = living.map((member) => member.owned);
    const settled =
      living.every(({ heardAt }) => heardAt > healedAt) &&
      owned.every((each) => each !== undefined && each.generation === owned[0]?.generation) &&
      new Set(owned.flatMap((each) => each?.partitions ?? [])).size === PARTITIONS;
    return settled ? [] : ['what a group shares out'];
  }

  /** Who owns a part can write there: no token is below one that a store has seen. */
  #unwritten(healedAt: number): readonly string[] {
    if (this.#options.members.every(({ gone }) => gone)) return [];
    return this.#written(MEMBERS_GROUP, healedAt) === PARTITIONS
      ? []
      : ['what is written under the tokens of a group'];
  }
  /** Parts in which a store has taken a token: a seal will do, since a store may need seconds for each act. */
  #written(group: string, healedAt: number): number {
    const acts = this.#options.history.fenced.filter(
      ({ at, taken, scope }) => taken && at > healedAt && scope.startsWith(`${group}/`),
    );
    return new Set(acts.map(({ scope }) => scope)).size;
  }

  /** What is dealt out to workers of the SDK is worked on, each part by one. */
  #unworked(healedAt: number): readonly string[] {
    const living = this.#options.workers.filter(({ gone }) => !gone);
    if (living.length === 0) return [];
    const works = living.map((worker) => worker.worksSince(healedAt));
    const all = works.flatMap((each) => each ?? []);
    const settled =
      works.every((each) => each !== undefined) &&
      all.length === TOPIC_PARTITIONS &&
      new Set(all).size === TOPIC_PARTITIONS &&
      this.#written(WORKERS_GROUP, healedAt) === TOPIC_PARTITIONS;
    return settled ? [] : ['what workers of the SDK work on'];
  }

  /** Then every replica must catch up with what had been chosen, and none may keep a request for itself. */
  async #untilLevel(): Promise<void> {
    const { time, history, core, pending, violated } = this.#options;
    const targets = this.#applied().reduce((most, own) =>
      most.map((each, shard) => Math.max(each, own[shard]!)),
    );
    const end = time.now + LEVEL_WITHIN_MS + this.#elections();
    const behind = (): readonly string[] => [
      ...core()
        .filter((replica) =>
          targets.some((target, shard) => {
            const { appliedThrough, underWay } = replica.peek(shardId(shard));
            return appliedThrough < target || underWay;
          }),
        )
        .map(({ self }) => `replica ${self} did not catch up after all had healed`),
      ...this.#kept().map((group) => `the offset of ${group} is past its retention, and still there`),
    ];
    while (time.now < end && behind().length > 0 && !violated()) await this.#pass(SAMPLE_EVERY_MS);
    if (violated()) return;
    history.stuck.push(...behind());
    const old = time.now - GIVE_UP_AFTER_MS - this.#elections();
    for (const { replica, askedAt } of pending)
      if (askedAt < old && core().includes(replica))
        history.stuck.push(`replica ${replica.self} never answered what it was asked at ${askedAt} ms`);
  }

  #kept(): readonly string[] {
    const { history, core, timeIsSure } = this.#options;
    if (!timeIsSure) return [];
    return history.passers.filter((group) =>
      core().some((replica) => replica.peek(replica.shardOf(group)).groups.committedCount(group) > 0),
    );
  }

  #compareStates(): void {
    const { history, core, setup } = this.#options;
    const { shards } = setup;
    for (const replica of core()) {
      // Of one that does not open its shards the verdict says so.
      if (replica.status().shards.length === 0) continue;
      for (let index = 0; index < shards; index++) {
        const shard = shardId(index);
        // What a replica shows of a shard is its machine.
        const machine = replica.peek(shard) as Machine;
        if (machine.underWay) continue;
        const bytes = Buffer.concat([...machine.snapshot()]);
        const again = Buffer.concat([...restoreMachine({ shard, shards }, bytes).snapshot()]);
        const seen = { replica: replica.self, shard, through: machine.appliedThrough };
        history.states.push({ ...seen, crc: crc32c(bytes), crcRestored: crc32c(again) });
      }
    }
  }

  #elections(): number {
    return HEALED_ELECTIONS * this.#options.setup.electionTimeoutMs;
  }
  #applied(): readonly (readonly number[])[] {
    const { core, setup } = this.#options;
    const shards = Array.from({ length: setup.shards }, (_, index) => shardId(index));
    return core().map((replica) => shards.map((shard) => replica.peek(shard).appliedThrough));
  }
  #spacesServed(since: number): Set<string> {
    const known = this.#options.history.records.filter(
      ({ version, startedAt }) => version !== undefined && startedAt >= since,
    );
    return new Set(known.map(({ space }) => space));
  }
}

/** The replicas that must come back in time: `badOne` stays what it is, and may keep one more from hearing its leader. */
export function coreOf(
  ids: readonly ReplicaId[],
  staysBad: Setup['staysBad'],
  badOne: ReplicaId,
): readonly ReplicaId[] {
  const others = ids.filter((id) => id !== badOne);
  if (staysBad === undefined) return ids;
  return staysBad === 'oneLink' ? [others[0]!] : others;
}

import { codec, type ReplicaId, type ShardId, shardId } from '../kernel/index.js';
import { plannedReplicas, type ReplicaPlan, type ReplicasView } from '../machine/index.js';
import { quorumDescription, quorumSystem } from '../paxos/index.js';
import { DEFAULT_LIMITS, type Replica, type ReplicaStatus } from '../replica/index.js';
import type { History, Witness } from './history.js';
import type { Setup } from './setup.js';
import type { Station } from './strike.js';
import type { Trace } from './trace.js';
import type { VirtualTime } from './virtual-time.js';

const FACTS = shardId(0);
/** What is chosen now a replica that has caught up has after two looks of a leader, and what it hears in between. Milliseconds. */
const LOOKS_MS = 4_000;

/** A plan, as it was seen first. */
interface PlanSeen {
  readonly plan: ReplicaPlan;
  /** Replicas with a vote before it, and how they decided. */
  readonly before: readonly string[];
  readonly quorumsBefore: string;
  /** These may have a vote in some shards already. */
  readonly mayVote: ReadonlySet<string>;
  /** Who led shard 0 meanwhile. */
  readonly leaders: Set<ReplicaId>;
  readonly readyJudged: Set<number>;
  /** It was seen to seal. */
  sealing: boolean;
  /** It was seen in its place again. */
  over: boolean;
}

/** What no plan for the replicas may do, and which plans there were. */
export class PlanWatch {
  readonly #shards: number;
  /** The same, and how long the report of a leader may be on its way to shard 0. */
  readonly #caughtUpMs: number;
  readonly #time: VirtualTime;
  readonly #trace: Trace;
  readonly #history: History;
  /** Who decides in a configuration of a shard. */
  readonly #deciders = new Map<string, string>();
  /** Through where each disk has ever had each shard applied. */
  readonly #applied = new Map<string, number[]>();
  readonly #highest: number[];
  /** The same at earlier looks, the oldest first. */
  readonly #earlier: { readonly at: number; readonly highest: readonly number[] }[] = [];
  readonly #seen = new Map<number, PlanSeen>();
  readonly #over = new Set<number>();

  constructor(
    { shards, forwardedMs }: Pick<Setup, 'shards' | 'forwardedMs'>,
    time: VirtualTime,
    trace: Trace,
    history: History,
  ) {
    this.#shards = shards;
    this.#caughtUpMs = LOOKS_MS + (forwardedMs ?? DEFAULT_LIMITS.forwardedMs);
    this.#time = time;
    this.#trace = trace;
    this.#history = history;
    this.#highest = Array.from({ length: shards }, () => 0);
  }

  witness(witness: Witness, what: string): void {
    if (!this.#history.witnessed.has(witness))
      this.#history.witnessed.set(witness, `at ${this.#time.now} ms ${what}`);
  }

  /** Before what it says of plans is looked at, at any replica. */
  applied({ id, incarnation }: Station, replica: Replica): void {
    const key = `${id} ${incarnation}`;
    const own = this.#applied.get(key) ?? Array.from({ length: this.#shards }, () => 0);
    this.#applied.set(key, own);
    for (let shard = 0; shard < this.#shards; shard++) {
      const { appliedThrough } = replica.peek(shardId(shard));
      own[shard] = Math.max(own[shard]!, appliedThrough);
      this.#highest[shard] = Math.max(this.#highest[shard]!, appliedThrough);
    }
  }

  /** At intervals. */
  status(status: ReplicaStatus): void {
    for (const { shard, configuration } of status.shards) {
      const { number, members, replicas, quorums } = configuration;
      if (number === 1) continue;
      const deciders = `${(members ?? replicas).map((each) => (typeof each === 'object' ? `${each.id} ${each.incarnation}` : each)).join()} by ${quorums.name}`;
      const key = `${shard}/${number}`;
      const known = this.#deciders.get(key) ?? deciders;
      this.#deciders.set(key, known);
      if (known !== deciders)
        this.witness(
          'configurations-agree',
          `configuration ${number} of shard ${shard} is ${deciders} at replica ${status.self}, and ${known} elsewhere`,
        );
    }
  }

  look(replica: Replica): void {
    const { now } = this.#time;
    if (this.#earlier.at(-1)?.at !== now) this.#earlier.push({ at: now, highest: [...this.#highest] });
    while ((this.#earlier[1]?.at ?? Infinity) <= now - this.#caughtUpMs) this.#earlier.shift();
    const { replicas: view } = replica.peek(FACTS);
    this.#note(view);
    const { plan } = view;
    for (const [number, seen] of this.#seen) if (!this.#over.has(number)) this.#ends(number, seen, view);
    const seen = plan === null ? undefined : this.#seen.get(plan.number);
    if (plan === null || seen === undefined) return;
    if (replica.serves(FACTS)) seen.leaders.add(replica.self);
    seen.sealing ||= plan.phase === 'sealing';
    const before = plan.over === null ? undefined : this.#seen.get(plan.over.number);
    if (before !== undefined) before.over = true;
    if (seen.over) this.#trace.reached('a plan got its place back');
    for (const shard of plan.ready) if (!seen.readyJudged.has(shard)) this.#ready(seen, plan, shardId(shard));
  }

  #note({ plan, current }: ReplicasView): void {
    if (plan === null || this.#seen.has(plan.number)) return;
    this.#seen.set(plan.number, {
      ...{ plan, leaders: new Set(), readyJudged: new Set(), sealing: false, over: false },
      before: current!.replicas.map(disk),
      mayVote: new Set([...current!.replicas, ...plannedReplicas({ plan: plan.over })].map(disk)),
      quorumsBefore: Buffer.from(current!.quorums).toString('hex'),
    });
  }

  /** A new replica has had all that was applied anywhere a while ago, once a shard is called ready; and so has a quorum. */
  #ready(seen: PlanSeen, plan: ReplicaPlan, shard: ShardId): void {
    seen.readyJudged.add(shard);
    const [oldest] = this.#earlier;
    if (oldest === undefined || oldest.at > this.#time.now - this.#caughtUpMs) return;
    const had = (key: string): boolean => (this.#applied.get(key)?.[shard] ?? 0) >= oldest.highest[shard]!;
    const ids = plan.replicas.map(({ id }) => id);
    const quorums = quorumSystem(codec.decode(quorumDescription, plan.quorums), ids);
    const whole = new Set(plan.replicas.filter((each) => had(disk(each))).map(({ id }) => id));
    const lacking = plan.replicas.filter((each) => !seen.mayVote.has(disk(each)) && !had(disk(each)));
    if (lacking.length > 0 || !quorums.isAcceptQuorum(whole) || !quorums.isPrepareQuorum(whole))
      this.witness(
        'ready-means-caught-up',
        `shard ${shard} is called ready for plan ${plan.number} (${plan.what}), and only ${[...whole].join(', ')} have ever had what was applied ${this.#caughtUpMs} ms before`,
      );
  }

  #ends(number: number, seen: PlanSeen, view: ReplicasView): void {
    if (view.plan?.number === number || view.plan?.over?.number === number || view.lastNumber < number)
      return;
    this.#over.add(number);
    if (view.number < number) {
      if (seen.sealing && view.plan !== null)
        return this.#trace.reached('a plan took the place of one that sealed');
      return this.#trace.reached('a plan was called off');
    }
    if (view.number > number) return;
    const { before, plan, leaders } = seen;
    const after = plan.replicas.map(({ id }) => id);
    const ids = before.map((each) => Number(each.split(' ')[0]));
    const [came, went] = [
      after.filter((id) => !ids.includes(id)),
      ids.filter((id) => !after.some((each) => each === id)),
    ];
    if (came.length > 0) this.#trace.reached('a replica was added');
    if (went.length > 0) this.#trace.reached('a replica was removed');
    if (ids.length === 3 && after.length === 5) this.#trace.reached('three replicas became five');
    if (ids.length === 5 && after.length === 3) this.#trace.reached('five replicas became three');
    if (Buffer.from(plan.quorums).toString('hex') !== seen.quorumsBefore)
      this.#trace.reached('the quorums were changed');
    if (went.some((id) => leaders.has(id as ReplicaId))) this.#trace.reached('a leader removed itself');
    if (leaders.size > 1) this.#trace.reached('a plan went on under another leader');
  }

  /** The world ends: `members` are those of which nothing is wrong any more. */
  endsWith(members: readonly Replica[]): void {
    for (const replica of members) {
      const { current, plan, number } = replica.peek(FACTS).replicas;
      if (plan !== null || number === 0) continue;
      const expected = current!.replicas.map(disk).join();
      for (const { shard, configuration } of replica.status().shards) {
        const found = configuration.members?.map(disk).join();
        if (found !== expected)
          this.witness(
            'shards-follow-the-plan',
            `shard ${shard} is decided by ${found ?? 'those that formed the cluster'} at replica ${replica.self}, and the cluster has ${expected}`,
          );
      }
    }
  }
}

const disk = ({ id, incarnation }: { readonly id: ReplicaId; readonly incarnation: string }): string =>
  `${id} ${incarnation}`;

import { GroupClient } from '../client/index.js';
import { generation, groupId, memberId } from '../kernel/index.js';
import {
  checkedOptions,
  type CheckedOptions,
  type Effect,
  type Held,
  type Input,
  MembershipRequests,
  WorkerMachine,
} from '../worker/member.js';
import type { ClientSurroundings } from './clients.js';
import type { FencedStore } from './fenced-store.js';
import { connectsTo, KAFKA_PORT } from './kafka-carrier.js';
import { LeasedWork } from './leased-work.js';
import { SESSION_MS } from './members.js';
import { StoppableTime } from './stoppable-time.js';

export const WORKERS_GROUP = 'workers';
const TOPIC = 'work';
const WORKER_HEARTBEAT_MS = 250;
/** Between two writes of a worker, on average. Milliseconds. */
const WRITES_EVERY_MS = 60;
const DRAIN_MS = 600;
const TOPICS_REFRESH_MS = 1_000;
/** How far clocks of processes may run apart; the clocks of replicas count as well. */
const CLOCK_DRIFT_RATIO = 0.05;
const BACK_OFF = { firstMs: 50, mostMs: 500 };

interface WorkerSetup {
  readonly replicas: number;
  readonly cooperative: boolean;
  /** Ends for good at this time of the world. */
  readonly goneAt: number;
}

/** One process of a worker: the member of the SDK with its requests, over simulated connections, and work under its leases. */
class WorkerLife {
  readonly time: StoppableTime;
  readonly machine: WorkerMachine;
  readonly #around: ClientSurroundings;
  readonly #store: FencedStore;
  readonly #name: string;
  readonly #drift: number;
  readonly #instanceId: string | null;
  readonly #client: GroupClient;
  readonly #requests: MembershipRequests;
  readonly #works = new Map<number, LeasedWork>();
  #wake: () => void = () => undefined;
  /** How often it lost what it owned, though its handlers settled in time. */
  losses = 0;

  constructor(around: ClientSurroundings, store: FencedStore, name: string, options: CheckedOptions) {
    this.#around = around;
    this.#store = store;
    this.#name = name;
    const { random, time, brokers } = around;
    this.#drift = 1 + (random.next() - 0.5) * 0.04;
    this.time = new StoppableTime(time);
    const { group, instanceId, clientId, requestTimeoutMs } = options;
    this.#instanceId = instanceId;
    const connect = connectsTo({ time, own: this.time, brokers });
    const about = { group, instanceId, clientId, requestTimeoutMs, connectTimeoutMs: requestTimeoutMs };
    this.#client = new GroupClient({ ...about, brokers: options.brokers, connect });
    this.#requests = new MembershipRequests(this.#client, options, () => this.now());
    const { sessionTimeoutMs, heartbeatIntervalMs, drainMs, assignor } = options;
    const settings = { sessionTimeoutMs, heartbeatIntervalMs, drainMs, clockDriftRatio: CLOCK_DRIFT_RATIO };
    const cooperative = assignor === 'cooperative-sticky';
    this.machine = new WorkerMachine({ ...settings, cooperative, instanceId, backOff: BACK_OFF }, random);
    this.step({ kind: 'start' });
    this.#refresh();
  }

  now(): number {
    return 5_000 + this.time.now * this.#drift;
  }
  /** Scopes that are worked on. */
  get works(): readonly string[] {
    return [...this.#works.values()].filter(({ runs }) => runs).map(({ lease }) => lease.scope);
  }

  /** As kill -9: what it has sent goes on its way. */
  die(): void {
    this.time.die();
    this.#client.close();
    for (const work of this.#works.values()) work.stop();
  }

  step(input: Input): void {
    for (const effect of this.machine.step(input, this.now())) this.#perform(effect);
    this.#wake();
    const waitMs = (this.machine.wakeAt - this.now()) / this.#drift;
    if (waitMs < Number.POSITIVE_INFINITY)
      this.#wake = this.time.after(Math.max(1, waitMs), () => this.step({ kind: 'tick' }));
  }

  #then(answer: Promise<Input>, told: (answer: Input) => void = () => undefined): void {
    answer.then(
      (input) =>
        this.time.inProcess(() => {
          told(input);
          this.step(input);
        }),
      (error: unknown) => this.#say(`fails: ${String(error)}`),
    );
  }

  #told({ memberId: id, generation: of }: Extract<Effect, { kind: 'sync' }>, answer: Input): void {
    if (answer.kind !== 'synced' || answer.code !== 0) return;
    // A member with a name stays who it is when it comes back under a new id.
    const member = memberId(this.#instanceId ?? id);
    const about = { group: groupId(WORKERS_GROUP), member, generation: generation(of), at: this.time.now };
    this.#around.history.told.push({
      ...about,
      partitions: answer.assigned.map(({ partition }) => partition),
    });
  }

  #refresh(): void {
    this.time.after(TOPICS_REFRESH_MS, () => {
      this.#refresh();
      this.#requests.topicsHaveChanged().then(
        (changed) => this.time.inProcess(() => changed && this.step({ kind: 'topics-changed' })),
        () => undefined,
      );
    });
  }

  #perform(effect: Effect): void {
    switch (effect.kind) {
      case 'join':
        return this.#then(this.#requests.join(effect));
      case 'sync':
        return this.#then(this.#requests.sync(effect), (answer) => this.#told(effect, answer));
      case 'heartbeat':
        return this.#then(this.#requests.heartbeat(effect));
      case 'leave':
        return this.#then(this.#requests.leave(effect));
      case 'open':
        for (const held of effect.leases) this.#works.set(held.id, this.#open(held));
        return;
      case 'end':
        // A handler that settles late is its own fault.
        if (effect.end === 'lost' && !effect.why.includes('did not settle')) this.losses++;
        this.#say(`${effect.end}: ${effect.ids.length}, ${effect.why}`);
        for (const id of effect.ids) this.#end(id, effect.end === 'lost');
        return;
      case 'overdue':
        return this.#around.trace.reached('a handler did not settle within its drain');
      case 'rebalanced':
        this.#around.trace.reached('the SDK had its part of a generation');
        return this.#say(`owns ${effect.owned} in ${effect.generation}`);
      case 'became-member':
      case 'failed':
        return;
    }
  }

  #open({ topic, partition, token, epoch, memberId }: Held): LeasedWork {
    const { random, trace, history } = this.#around;
    const scope = `${WORKERS_GROUP}/${topic}/${partition}`;
    const lease = { scope, token: token ?? BigInt(epoch), owner: memberId };
    return new LeasedWork({
      ...{ time: this.time, random, store: this.#store, lease, paceMs: () => WRITES_EVERY_MS },
      // As `assertOwned` does.
      mayWrite: () => this.now() < this.machine.sessionEndsAt,
      writes: () =>
        history.worked.push({ at: this.time.now, scope, token: Number(lease.token), owner: lease.owner }),
      refused: () => trace.reached('the work of a worker was refused'),
    });
  }

  /** A handler settles soon, as a rule. */
  #end(id: number, lost: boolean): void {
    const { random } = this.#around;
    const work = this.#works.get(id);
    if (lost) work?.stop();
    this.time.after(random.chance(0.05) ? 2 * DRAIN_MS : random.below(200), () => {
      if (!this.#works.delete(id)) return;
      work?.stop();
      this.step({ kind: 'settled', id });
    });
  }

  #say(what: string): void {
    this.#around.trace.note(this.time.now, `${this.#name} ${what}`);
  }
}

/** A worker of the SDK over all its lives: it is stopped, killed and started again, and leaves and comes back. */
export class SdkWorker {
  readonly #around: ClientSurroundings;
  readonly #begin: () => WorkerLife;
  readonly #goneAt: number;
  #life: WorkerLife | undefined;

  constructor(
    around: ClientSurroundings,
    store: FencedStore,
    name: string,
    { replicas, cooperative, goneAt }: WorkerSetup,
  ) {
    this.#around = around;
    this.#goneAt = goneAt;
    const options = checkedOptions({
      brokers: Array.from({ length: replicas }, (_, index) => `simulated:${KAFKA_PORT + index + 1}`),
      ...{ group: WORKERS_GROUP, topics: [TOPIC], clientId: name, onPartition: () => undefined },
      ...{ sessionTimeoutMs: SESSION_MS, heartbeatIntervalMs: WORKER_HEARTBEAT_MS },
      ...{ rebalanceTimeoutMs: SESSION_MS + 2 * DRAIN_MS, drainMs: DRAIN_MS },
      assignor: cooperative ? 'cooperative-sticky' : 'range',
      ...(around.random.chance(0.3) && { instanceId: name }),
    });
    this.#begin = () => new WorkerLife(around, store, name, options);
    this.#starts(around.random.below(300));
    this.#lives();
    if (goneAt < Number.POSITIVE_INFINITY) around.time.after(goneAt, () => this.#life?.die());
  }

  get gone(): boolean {
    return this.#around.time.now >= this.#goneAt;
  }
  /** Scopes that it works on as a member that was heard after this time of the world. */
  worksSince(healedAt: number): readonly string[] | undefined {
    const life = this.#life;
    const isMember =
      life?.machine.phase === 'stable' &&
      life.now() - life.machine.heardAt < this.#around.time.now - healedAt;
    return isMember ? life.works : undefined;
  }
  get losses(): number {
    return this.#life?.losses ?? 0;
  }

  #starts(afterMs: number): void {
    this.#around.time.after(afterMs, () => {
      if (!this.gone) this.#life = this.#begin();
    });
  }

  #lives(): void {
    const { time, random, healed } = this.#around;
    time.after(300 + random.below(2_500), () => {
      if (this.gone || healed()) return;
      this.#lives();
      if (this.#life !== undefined) this.#strikes(this.#life, random.next());
    });
  }

  #strikes(life: WorkerLife, chance: number): void {
    const { time, random, trace } = this.#around;
    if (chance < 0.3) {
      trace.reached('a worker was stopped');
      life.time.stopUntil(time.now + random.below(3 * SESSION_MS));
    } else if (chance < 0.4) {
      trace.reached('a worker was killed');
      life.die();
      this.#life = undefined;
      this.#starts(random.below(1_500));
    } else if (chance < 0.6) {
      trace.reached('a worker left');
      life.time.inProcess(() => {
        life.step({ kind: 'leave', reason: 'it was told to', silently: random.chance(0.3) });
        this.#comesBack(life);
      });
    }
  }

  #comesBack(life: WorkerLife): void {
    life.time.after(this.#around.random.below(1_000), () => {
      if (life.machine.phase === 'leaving') this.#comesBack(life);
      else life.step({ kind: 'start' });
    });
  }
}

import { randomInt } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { uptime } from 'node:os';
import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';
import { BrokerError, ConnectionError, GroupClient, type GroupClientOptions } from '../client/index.js';
import { assertNever, countingSuspends, seededRandom } from '../kernel/index.js';
import { errorCode } from '../wire/index.js';
import { Handlers } from './handlers.js';
import { ThreadedHeartbeats } from './heartbeats/threaded.js';
import { WorkerMachine } from './machine.js';
import type { Effect, Held, Input } from './machine-types.js';
import { checkedOptions, type CheckedOptions, heartbeatTimeoutMs, type WorkerOptions } from './options.js';
import { loopBlocked, missingTopics, problemOf, WorkerError } from './problems.js';
import { type Place, placeOutside } from './place.js';
import { Positions } from './positions.js';
import { MembershipRequests } from './requests.js';
import { RunningLease } from './running-lease.js';
import type { Lease, WorkerEvents, WorkerState } from './types.js';

const CLOCK_DRIFT_RATIO = 0.01;
const BACK_OFF = { firstMs: 50, mostMs: 1_000 };
const UNKNOWN_MEMBER = errorCode('UNKNOWN_MEMBER_ID');
/** A tick that is late by this share of the session is reported. */
const LATE_RATIO = 1 / 3;
const NEVER_MS = 2 ** 31 - 1;

const clientOptions = (options: CheckedOptions): GroupClientOptions => {
  const { brokers, group, clientId, instanceId, requestTimeoutMs } = options;
  const timeouts = { requestTimeoutMs, connectTimeoutMs: requestTimeoutMs };
  return {
    brokers,
    group,
    clientId,
    instanceId,
    ...timeouts,
    heartbeatTimeoutMs: heartbeatTimeoutMs(options),
  };
};

export interface WorkerHealth {
  readonly state: WorkerState;
  readonly owned: number;
  /** Milliseconds since the last request left that the coordinator answered; undefined: none yet. */
  readonly lastAnswerMs: number | undefined;
  /** The longest delay of the event loop since the last look. Milliseconds. */
  readonly loopDelayMs: number;
}

/** For what is built on a worker. */
export interface WorkerHooks {
  /** Settles when what belongs to an ended lease has settled, besides its handler: the group is told of the stop then. */
  readonly ended?: (lease: Lease) => Promise<void>;
  readonly madeAt?: Place;
}

/** A member of a group that runs a handler for each partition that it is given. */
export class Worker implements AsyncDisposable {
  readonly #options: CheckedOptions;
  readonly #client: GroupClient;
  readonly #machine: WorkerMachine;
  readonly #requests: MembershipRequests;
  readonly #handlers: Handlers;
  readonly #positions: Positions;
  readonly #leases = new Map<number, RunningLease>();
  readonly #events = new EventEmitter();
  readonly #madeAt: Place;
  readonly #now = countingSuspends({
    monotonicMs: () => performance.now(),
    wallMs: () => Date.now(),
    uptimeMs: () => uptime() * 1_000,
  });
  readonly #loopDelay: IntervalHistogram = monitorEventLoopDelay({ resolution: 20 });
  #timer: NodeJS.Timeout | undefined;
  #refresh: NodeJS.Timeout | undefined;
  #sealCheck: NodeJS.Timeout | undefined;
  #thread: ThreadedHeartbeats | undefined;
  #lastProblem: WorkerError | undefined;
  #isStopped = false;
  readonly #onSignal = (): void => void this.stop('the process was told to end');

  /** Throws TypeError when an option is wrong. */
  constructor(options: WorkerOptions, { ended, madeAt = placeOutside(Worker) }: WorkerHooks = {}) {
    this.#options = checkedOptions(options);
    this.#madeAt = madeAt;
    this.#client = new GroupClient(clientOptions(this.#options));
    this.#machine = new WorkerMachine(
      {
        ...this.#options,
        clockDriftRatio: CLOCK_DRIFT_RATIO,
        cooperative: this.#options.assignor === 'cooperative-sticky',
        backOff: BACK_OFF,
      },
      seededRandom(randomInt(2 ** 32)),
    );
    this.#requests = new MembershipRequests(
      this.#client,
      this.#options,
      this.#now,
      () => this.#thread ?? this.#client,
    );
    this.#positions = new Positions((partitions) => this.#client.committed(partitions));
    this.#handlers = new Handlers(this.#options, {
      failed: (error, lease) => this.#emit('error', { error, lease }),
      ended: (lease) => ended?.(lease) ?? Promise.resolve(),
    });
  }

  get state(): WorkerState {
    switch (this.#machine.phase) {
      case 'idle':
        return 'idle';
      case 'joining':
      case 'syncing':
      case 'draining':
        return this.owned().length > 0 ? 'working' : 'joining';
      case 'stable':
        return 'working';
      case 'leaving':
        return this.#isStopped ? 'stopping' : 'paused';
      case 'left':
        return this.#isStopped ? 'stopped' : 'paused';
      case 'failed':
        return 'failed';
    }
  }

  /** What may be worked on now. */
  owned(): readonly Lease[] {
    return [...this.#leases.values()].filter(({ end }) => end === undefined);
  }

  health(): WorkerHealth {
    const { heardAt } = this.#machine;
    const loopDelayMs = this.#loopDelay.max / 1e6;
    this.#loopDelay.reset();
    return {
      state: this.state,
      owned: this.owned().length,
      lastAnswerMs: Number.isFinite(heardAt) ? this.#now() - heardAt : undefined,
      loopDelayMs: Math.max(0, loopDelayMs),
    };
  }

  /** Returns what removes it. */
  on<K extends keyof WorkerEvents>(event: K, listener: (event: WorkerEvents[K]) => void): () => void {
    this.#events.on(event, listener);
    return () => this.#events.off(event, listener);
  }

  /** Resolves when the group was joined. Rejects with WorkerError that says what to do; then the worker has stopped. */
  async start(): Promise<void> {
    if (this.#isStopped || this.#machine.phase !== 'idle')
      throw new WorkerError('a worker starts once: make another one', 'STARTED', true);
    this.#loopDelay.enable();
    if (this.#options.heartbeats === 'thread') this.#thread = this.#threaded();
    for (const signal of this.#options.stopOn) process.once(signal, this.#onSignal);
    const late = AbortSignal.timeout(this.#options.startTimeoutMs);
    try {
      await this.#topicsThere(late);
      await this.#joined(late);
    } catch (error) {
      await this.stop('it could not start');
      throw error;
    }
    this.#refresh = setInterval(() => void this.#lookAtTopics(), this.#options.topicsRefreshMs);
    this.#refresh.unref();
    const { sealCheckMs } = this.#options;
    if (sealCheckMs > 0)
      this.#sealCheck = setInterval(() => void this.#handlers.checkSeals(), sealCheckMs).unref();
  }

  /** Gives everything up as `stop` does, and stays out of the group until `resume`. */
  async pause(reason = 'it was paused'): Promise<void> {
    await this.#leave(reason, false);
  }
  resume(): void {
    if (this.state !== 'paused') return;
    this.#step({ kind: 'start' });
  }

  /**
   * Handlers drain, the group is left, the connections close. A static member leaves only with `leave: true`: its name keeps
   * its partitions until it is back, or its session ends.
   */
  async stop(
    reason = 'it was stopped',
    { leave = this.#options.instanceId === null }: { readonly leave?: boolean } = {},
  ): Promise<void> {
    if (!this.#isStopped) {
      this.#isStopped = true;
      clearInterval(this.#refresh);
      clearInterval(this.#sealCheck);
      for (const signal of this.#options.stopOn) process.off(signal, this.#onSignal);
    }
    await this.#leave(reason, !leave);
    clearTimeout(this.#timer);
    this.#loopDelay.disable();
    this.#thread?.close();
    this.#thread = undefined;
    this.#client.close();
  }
  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #topicsThere(late: AbortSignal): Promise<void> {
    const { topics, createTopics } = this.#options;
    for (;;) {
      try {
        const found = await this.#client.cluster.partitionsOf(topics, false);
        const missing = topics.filter((topic) => !found.has(topic));
        if (missing.length === 0) return;
        if (createTopics === null) throw missingTopics(missing);
        for (const topic of missing) await this.#client.cluster.createTopic(topic, createTopics.partitions);
      } catch (error) {
        if (!(error instanceof ConnectionError || error instanceof BrokerError)) throw error;
        if (late.aborted)
          throw new WorkerError(`no broker can be asked: ${error.message}`, 'UNREACHABLE', true);
      }
      await new Promise((resume) => setTimeout(resume, BACK_OFF.firstMs * 2));
    }
  }

  #joined(late: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const stops = [
        this.on('rebalanced', () => done(resolve)),
        this.on('error', ({ error }) => {
          if (error instanceof WorkerError && error.fatal) done(() => reject(error));
        }),
      ];
      const done = (settle: () => void): void => {
        late.removeEventListener('abort', isLate);
        for (const stop of stops) stop();
        settle();
      };
      const isLate = (): void => {
        const why = this.#lastProblem?.message ?? 'the coordinator has not answered';
        const text = `the group was not joined within ${this.#options.startTimeoutMs} ms: ${why}`;
        done(() => reject(new WorkerError(text, this.#lastProblem?.code ?? 'UNREACHABLE', true)));
      };
      late.addEventListener('abort', isLate, { once: true });
      this.#step({ kind: 'start' });
    });
  }

  async #leave(reason: string, silently: boolean): Promise<void> {
    this.#step({ kind: 'leave', reason, silently });
    while (this.#machine.phase === 'leaving')
      await new Promise<void>((resume) => this.#events.once('moved', resume));
  }

  async #lookAtTopics(): Promise<void> {
    const changed = await this.#requests.topicsHaveChanged().catch(() => false);
    if (changed) this.#step({ kind: 'topics-changed' });
  }

  #step(input: Input): void {
    this.#hearThread();
    const effects = this.#machine.step(input, this.#now());
    for (const effect of effects) this.#perform(effect);
    this.#thread?.follow(this.#machine.membership);
    this.#events.emit('moved');
    clearTimeout(this.#timer);
    const wait = this.#machine.wakeAt - this.#now();
    if (wait < Number.POSITIVE_INFINITY)
      this.#timer = setTimeout(() => this.#tick(this.#machine.wakeAt), Math.min(NEVER_MS, Math.max(1, wait)));
  }

  #threaded(): ThreadedHeartbeats {
    return new ThreadedHeartbeats(clientOptions(this.#options), this.#options, (why) => {
      this.#thread = undefined;
      const text = `the heartbeat thread has ended (${why}): heartbeats go on from the main thread`;
      this.#emit('error', { error: new WorkerError(text, 'THREAD_ENDED', false) });
    });
  }

  /** What the heartbeat thread did while this one was blocked. */
  #hearThread(): void {
    const thread = this.#thread;
    if (thread === undefined || this.#now() < this.#sessionEndsAt()) return;
    if (!thread.hasGivenUp) return;
    thread.beginAnew();
    const left = { kind: 'beat', ...this.#machine.membership, code: UNKNOWN_MEMBER } as const;
    for (const effect of this.#machine.step({ ...left, sentAt: this.#now() }, this.#now()))
      this.#perform(effect);
  }
  /** Also while this thread has not come to take what the heartbeat thread has heard. */
  #sessionEndsAt(): number {
    const thread = this.#thread;
    if (thread?.hasGivenUp === true) return Number.NEGATIVE_INFINITY;
    if (thread !== undefined && this.#now() >= this.#machine.sessionEndsAt)
      this.#machine.heard(this.#now() - thread.heardAgoMs);
    return this.#machine.sessionEndsAt;
  }

  /** `due`: a tick that comes much later tells of a loop that was blocked, or of a process that did not run. */
  #tick(due: number): void {
    const late = Math.round(this.#now() - due);
    if (late > this.#options.sessionTimeoutMs * LATE_RATIO) {
      const leases = [...this.#leases.values()].sort((one, other) => other.usedAt - one.usedAt);
      this.#emit('error', { error: loopBlocked(this.#options, late, leases[0]?.lastUse()) });
    }
    this.#step({ kind: 'tick' });
  }

  #then(answer: Promise<Input>): void {
    void answer.then((input) => this.#step(input));
  }

  #perform(effect: Effect): void {
    switch (effect.kind) {
      case 'join':
        return this.#then(this.#requests.join(effect));
      case 'sync':
        return this.#then(this.#requests.sync(effect));
      case 'heartbeat':
        return this.#then(this.#requests.heartbeat(effect));
      case 'leave':
        return this.#then(this.#requests.leave(effect));
      case 'open':
        return this.#open(effect.leases);
      case 'end':
        return this.#end(effect);
      case 'overdue':
        return this.#overdue(effect.id);
      case 'became-member':
        return this.#emit('joined', { memberId: effect.memberId, epoch: effect.generation });
      case 'rebalanced':
        return this.#emit('rebalanced', { epoch: effect.generation, owned: effect.owned });
      case 'failed':
        this.#lastProblem = problemOf(this.#options.group, effect);
        return this.#emit('error', { error: this.#lastProblem });
      default:
        assertNever(effect);
    }
  }

  #open(held: readonly Held[]): void {
    const context = {
      group: this.#options.group,
      now: this.#now,
      madeAt: this.#madeAt,
      sessionEndsAt: () => this.#sessionEndsAt(),
      commit: (lease: Held, position: number | bigint) =>
        this.#client.commit(this.#machine.membership, lease, position),
      committed: (lease: Held) => this.#positions.of(lease),
    };
    const leases = held.map((each) => new RunningLease(each, context));
    for (const lease of leases) this.#leases.set(lease.id, lease);
    this.#emit('assigned', { leases, epoch: leases[0]!.epoch });
    for (const lease of leases)
      void this.#handlers.run(lease).then(() => {
        this.#leases.delete(lease.id);
        this.#step({ kind: 'settled', id: lease.id });
      });
  }

  #end({ ids, end, why }: Extract<Effect, { kind: 'end' }>): void {
    const leases = ids.flatMap((id) => this.#leases.get(id) ?? []);
    const drainUntil = this.#now() + this.#options.drainMs;
    for (const lease of leases) lease.ends(end, why, drainUntil);
    this.#emit(end, { leases, why });
  }

  #overdue(id: number): void {
    const lease = this.#leases.get(id);
    if (lease === undefined) return;
    const { scope } = lease;
    const handler = this.#options.onPartition.name || 'the handler';
    const text = `${handler} of ${scope} has not settled within ${this.#options.drainMs} ms of its revocation: it has to stop when lease.signal aborts. ${lease.lastUse()}`;
    this.#emit('error', { error: new WorkerError(text, 'HANDLER_OVERDUE', false), lease });
  }

  #emit<K extends keyof WorkerEvents>(event: K, payload: WorkerEvents[K]): void {
    if (event === 'error' && this.#events.listenerCount('error') === 0)
      return console.error((payload as WorkerEvents['error']).error);
    this.#events.emit(event, payload);
  }
}

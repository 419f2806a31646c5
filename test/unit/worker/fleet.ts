import {
  cooperativeSticky,
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
  range,
} from '../../../src/client/index.js';
import { DEFAULT_GROUP_SETTINGS, type GroupReply } from '../../../src/groups/index.js';
import { generation, memberId, type Random, seededRandom } from '../../../src/kernel/index.js';
import { errorCode } from '../../../src/wire/index.js';
import { WorkerMachine } from '../../../src/worker/machine.js';
import { type Effect, type Held, type Input, UNREACHABLE } from '../../../src/worker/machine-types.js';
import { GROUP, ModelCoordinator, SESSION_MS } from './model-coordinator.js';

const TOPIC = 't';
export const HEARTBEAT_MS = 300;
const REBALANCE_MS = 20_000;
const DRAIN_MS = 3_000;
const REQUEST_TIMEOUT_MS = 1_000;
/** A request on its way to the coordinator, and its answer on the way back, each. */
export const RTT_MS = 20;
const BACK_OFF = { firstMs: 50, mostMs: 500 };
/** A request is lost, its time-out passes, the next attempt waits for its back-off, and then for a heartbeat. */
export const BOUND_MS = REQUEST_TIMEOUT_MS + BACK_OFF.mostMs + 3 * HEARTBEAT_MS + 5 * RTT_MS;

interface RunningHandler extends Held {
  may: boolean;
  ending: boolean;
}

/** One worker: its machine, and handlers that take their time to settle. */
export class ModelWorker {
  readonly machine: WorkerMachine;
  readonly handlers = new Map<number, RunningHandler>();
  isLinked = true;
  linkedSince = 0;
  /** Suspended until then: no timer runs, and no answer is seen. */
  asleepUntil = 0;

  constructor(
    readonly name: string,
    readonly world: Fleet,
    readonly cooperative: boolean,
  ) {
    this.machine = new WorkerMachine(
      {
        sessionTimeoutMs: SESSION_MS,
        heartbeatIntervalMs: HEARTBEAT_MS,
        drainMs: DRAIN_MS,
        clockDriftRatio: 0.01,
        cooperative,
        backOff: BACK_OFF,
      },
      seededRandom(world.random.below(2 ** 31)),
    );
  }

  /** May its handler of the partition write at this moment? */
  writer(partition: number): RunningHandler | undefined {
    if (this.world.now >= this.machine.sessionEndsAt) return undefined;
    return [...this.handlers.values()].find((handler) => handler.partition === partition && handler.may);
  }
  hasHandler(partition: number): boolean {
    return [...this.handlers.values()].some((handler) => handler.partition === partition);
  }

  step(input: Input): void {
    if (this.world.now < this.asleepUntil)
      return this.world.after(this.asleepUntil - this.world.now, () => this.step(input));
    for (const effect of this.machine.step(input, this.world.now)) this.#perform(effect);
    const { wakeAt } = this.machine;
    if (wakeAt < Number.POSITIVE_INFINITY)
      this.world.after(Math.max(1, wakeAt - this.world.now), () => {
        if (this.machine.wakeAt <= this.world.now) this.step({ kind: 'tick' });
      });
  }

  #perform(effect: Effect): void {
    switch (effect.kind) {
      case 'join':
        return this.#join(effect);
      case 'sync':
        return this.#sync(effect);
      case 'heartbeat':
        return this.#beat(effect);
      case 'leave':
        return this.#ask<number>(
          () => ({ kind: 'left' }),
          (answer) => {
            const members = [{ memberId: memberId(effect.memberId), instanceId: null, reason: null }];
            this.world.coordinator.submit({ kind: 'group.leave', group: GROUP, members }, () => answer(0));
          },
        );
      case 'open':
        for (const held of effect.leases) this.handlers.set(held.id, { ...held, may: true, ending: false });
        return;
      case 'end':
        for (const id of effect.ids) {
          const handler = this.handlers.get(id);
          if (handler === undefined) continue;
          if (effect.end === 'lost') handler.may = false;
          if (handler.ending) continue;
          handler.ending = true;
          const settlesIn = this.world.settlesIn();
          this.world.after(settlesIn, () => {
            this.handlers.delete(id);
            this.step({ kind: 'settled', id });
          });
        }
        return;
      default:
        return;
    }
  }

  /** A request there and back, each of which may be lost. `code` of an answer that does not come: UNREACHABLE. */
  #ask<T>(
    input: (answer: T | undefined, sentAt: number) => Input,
    carryOut: (answer: (of: T) => void) => void,
  ): void {
    const { world } = this;
    const sentAt = world.now;
    let settled = false;
    const settle = (answer: T | undefined): void => {
      if (settled) return;
      settled = true;
      this.step(input(answer, sentAt));
    };
    const lost = (): void => world.after(REQUEST_TIMEOUT_MS, () => settle(undefined));
    world.after(world.random.below(RTT_MS), () => {
      if (!this.isLinked || !world.coordinator.isUp) return lost();
      const generationOfLink = this.linkedSince;
      carryOut((answer) =>
        world.after(world.random.below(RTT_MS), () => {
          if (this.isLinked && this.linkedSince === generationOfLink) settle(answer);
        }),
      );
    });
    // A connection that breaks, or a coordinator that dies, fails what is parked there.
    world.whenBroken(this, () => world.after(RTT_MS, () => settle(undefined)));
  }

  #join({ attempt, memberId: id, generation: at, owned, reason }: Extract<Effect, { kind: 'join' }>): void {
    const partitions = owned.map(({ partition }) => partition);
    const metadata = encodeSubscription({
      topics: [TOPIC],
      owned: new Map([[TOPIC, partitions]]),
      generation: at,
    });
    this.#ask<Extract<GroupReply, { kind: 'join' }>['answer']>(
      (answer, sentAt) => ({
        kind: 'joined',
        attempt,
        sentAt,
        code: answer === undefined ? UNREACHABLE : errorCode(answer.error),
        memberId: answer?.memberId ?? id,
        generation: answer?.generation ?? -1,
        protocolName: answer?.protocolName ?? '',
        members:
          answer !== undefined && answer.leader === answer.memberId
            ? answer.members.map((each) => ({ ...each, metadata: Buffer.from(each.metadata) }))
            : null,
      }),
      (done) =>
        this.world.coordinator.submit(
          {
            kind: 'group.join',
            group: GROUP,
            memberId: memberId(id),
            newMemberId: memberId(`${this.name}-${this.world.nextId++}`),
            instanceId: null,
            clientId: this.name,
            clientHost: '/127.0.0.1',
            sessionTimeoutMs: SESSION_MS,
            rebalanceTimeoutMs: REBALANCE_MS,
            protocolType: 'consumer',
            protocols: [{ name: 'p', metadata }],
            memberIdRequired: true,
            canSkipAssignment: false,
            reason,
            resuming: false,
            settings: DEFAULT_GROUP_SETTINGS,
          },
          (reply) => reply.kind === 'join' && done(reply.answer),
        ),
    );
  }

  #sync({
    attempt,
    memberId: id,
    generation: at,
    protocolName,
    members,
  }: Extract<Effect, { kind: 'sync' }>): void {
    const takers = (members ?? []).map((each) => ({ ...decodeSubscription(each.metadata), ...each }));
    const assignor = this.cooperative ? cooperativeSticky : range;
    const shares = members === null ? new Map() : assignor(takers, new Map([[TOPIC, this.world.partitions]]));
    const { coordinator } = this.world;
    type Answer = {
      readonly code: number;
      readonly assigned: Extract<Input, { kind: 'synced' }>['assigned'];
    };
    this.#ask<Answer>(
      (answer, sentAt) => ({ kind: 'synced', attempt, sentAt, code: UNREACHABLE, assigned: [], ...answer }),
      (done) =>
        coordinator.submit(
          {
            kind: 'group.sync',
            group: GROUP,
            generation: generation(at),
            memberId: memberId(id),
            instanceId: null,
            protocolType: 'consumer',
            protocolName,
            assignments: [...shares].map(([member, share]) => ({
              memberId: memberId(member as string),
              assignment: encodeAssignment(share as ReadonlyMap<string, readonly number[]>),
            })),
          },
          (reply) => {
            if (reply.kind !== 'sync') return;
            const { error, assignment } = reply.answer;
            if (error !== 'NONE') return done({ code: errorCode(error), assigned: [] });
            const tokens = coordinator.groups.tokensOf(GROUP, memberId(id), assignment);
            const known = new Map(
              tokens.flatMap((each) => each.partitions.map((p) => [p.partition, p.token])),
            );
            const assigned = [...decodeAssignment(Buffer.from(assignment))].flatMap(([topic, list]) =>
              list.map((partition) => ({ topic, partition, token: BigInt(known.get(partition) ?? -1) })),
            );
            done({ code: 0, assigned });
          },
        ),
    );
  }

  #beat({ memberId: id, generation: at }: Extract<Effect, { kind: 'heartbeat' }>): void {
    const { coordinator } = this.world;
    this.#ask<number>(
      (code, sentAt) => ({ kind: 'beat', memberId: id, generation: at, sentAt, code: code ?? UNREACHABLE }),
      (answer) => {
        const question = {
          group: GROUP,
          generation: generation(at),
          memberId: memberId(id),
          instanceId: null,
        };
        const { error, renew } = coordinator.groups.heartbeat(question);
        if (renew) coordinator.touch(id);
        answer(errorCode(error));
      },
    );
  }
}

/** Workers and a coordinator in one simulated time. Milliseconds. */
export class Fleet {
  now = 0;
  nextId = 1;
  readonly random: Random;
  readonly coordinator = new ModelCoordinator(this);
  readonly workers: readonly ModelWorker[];
  /** How long a handler takes to settle. Milliseconds. */
  readonly settlesIn: () => number;
  readonly #queue: { readonly at: number; readonly order: number; readonly run: () => void }[] = [];
  readonly #broken = new Map<ModelWorker, (() => void)[]>();
  #order = 0;

  constructor(
    seed: number,
    workers: number,
    readonly partitions: number,
    cooperative: boolean,
    settings: { readonly settlesIn?: () => number } = {},
  ) {
    this.random = seededRandom(seed);
    this.settlesIn = settings.settlesIn ?? (() => this.#settlesSoon());
    this.workers = Array.from({ length: workers }, (_, i) => new ModelWorker(`w${i}`, this, cooperative));
  }

  /** Some do not within the drain. */
  #settlesSoon(): number {
    return this.random.chance(0.05) ? DRAIN_MS * 2 : this.random.below(300);
  }

  after(ms: number, run: () => void): void {
    const event = { at: this.now + ms, order: this.#order++, run };
    let at = this.#queue.length;
    while (at > 0 && this.#queue[at - 1]!.at > event.at) at--;
    this.#queue.splice(at, 0, event);
  }
  whenBroken(worker: ModelWorker, run: () => void): void {
    const list = this.#broken.get(worker) ?? [];
    list.push(run);
    this.#broken.set(worker, list);
  }
  #break(worker: ModelWorker): void {
    for (const run of this.#broken.get(worker)?.splice(0) ?? []) run();
  }

  cut(worker: ModelWorker, ms: number): void {
    if (!worker.isLinked) return;
    worker.isLinked = false;
    this.#break(worker);
    this.after(ms, () => {
      worker.isLinked = true;
      worker.linkedSince = this.now;
    });
  }
  crash(ms: number): void {
    this.coordinator.crash(ms);
    for (const worker of this.workers) this.#break(worker);
  }

  /** Runs until that time; `look` after every event. */
  runUntil(time: number, look: () => void): void {
    while (this.#queue.length > 0 && this.#queue[0]!.at <= time) {
      const { at, run } = this.#queue.shift()!;
      this.now = at;
      run();
      look();
    }
    this.now = time;
  }

  /** By partition: who owns it, and under which token. */
  grants(): ReadonlyMap<number, { readonly owner: string; readonly token: bigint }> {
    return new Map(
      this.coordinator.groups
        .fences(GROUP)
        .map(({ scope, owner, token }) => [
          Number(scope.slice(scope.lastIndexOf('/') + 1)),
          { owner, token: BigInt(token) },
        ]),
    );
  }
  get isStable(): boolean {
    return this.coordinator.groups.describe(GROUP)?.state === 'Stable';
  }
}

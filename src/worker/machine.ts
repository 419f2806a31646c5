import { backOffMs } from '../client/index.js';
import { assertNever, type Random } from '../kernel/index.js';
import { errorCode } from '../wire/index.js';
import { HeldLeases } from './held-leases.js';
import type { TopicPartition } from './types.js';
import {
  type Beat,
  type Effect,
  type Input,
  type Joined,
  type MachineSettings,
  type Synced,
  UNREACHABLE,
} from './machine-types.js';

type Phase =
  | 'idle'
  /** JoinGroup is under way, or will be at `retryAt`. */
  | 'joining'
  | 'syncing'
  | 'stable'
  /** Everything was revoked; JoinGroup follows when it has settled. Not with cooperative rebalances. */
  | 'draining'
  | 'leaving'
  | 'left'
  | 'failed';

const code = {
  none: errorCode('NONE'),
  illegalGeneration: errorCode('ILLEGAL_GENERATION'),
  unknownMember: errorCode('UNKNOWN_MEMBER_ID'),
  rebalancing: errorCode('REBALANCE_IN_PROGRESS'),
  idRequired: errorCode('MEMBER_ID_REQUIRED'),
};
/** Trying again would change nothing. */
const FATAL: readonly number[] = [
  errorCode('FENCED_INSTANCE_ID'),
  errorCode('INVALID_GROUP_ID'),
  errorCode('INVALID_SESSION_TIMEOUT'),
  errorCode('GROUP_AUTHORIZATION_FAILED'),
  errorCode('TOPIC_AUTHORIZATION_FAILED'),
  errorCode('UNSUPPORTED_VERSION'),
];
/** The group takes no such member now. Fatal for one that starts; one that was expelled waits for its place. */
const REFUSED: readonly number[] = [
  errorCode('GROUP_MAX_SIZE_REACHED'),
  errorCode('INCONSISTENT_GROUP_PROTOCOL'),
  errorCode('POLICY_VIOLATION'),
];
const NO_GENERATION = -1;
const DRAINED = 'an operator drains this worker';

/**
 * One member of a classic group, as a pure state machine: inputs and a monotonic time in, effects out. It knows when it is a
 * member, which leases it holds and when they end; it sends nothing and runs no handler.
 *
 * Ownership is counted from when the last answered request left, so that it ends here before it ends at the coordinator.
 */
export class WorkerMachine {
  readonly #settings: MachineSettings;
  readonly #random: Random;
  readonly #leases: HeldLeases;
  readonly #effects: Effect[] = [];
  #now = 0;
  #phase: Phase = 'idle';
  #memberId = '';
  #generation = NO_GENERATION;
  /** Of the JoinGroup or SyncGroup under way; answers to earlier ones are stale. */
  #attempt = 0;
  #failures = 0;
  /** Why it joins: for the group's history. */
  #reason = '';
  #syncing: Extract<Effect, { kind: 'sync' }> | undefined;
  #retryAt = Number.POSITIVE_INFINITY;
  #heardAt = Number.NEGATIVE_INFINITY;
  /** Since when the connections to the coordinator are gone, and it may count the grace. */
  #brokenAt = Number.POSITIVE_INFINITY;
  #graceMs = Number.POSITIVE_INFINITY;
  #heartbeatAt = Number.POSITIVE_INFINITY;
  #isBeating = false;
  #missedBeats = 0;
  /** Less is owned here than the group has on record: it has to be told. */
  #mustRejoin: string | undefined;
  /** What the last JoinGroup named as owned. */
  #claimed: readonly TopicPartition[] = [];
  #hasBeenMember = false;
  /** It has not had its part since it was started. */
  #isNew = true;
  /** The member id of the last `became-member`. */
  #announced = '';
  #leaving: { readonly reason: string; readonly silently: boolean } | undefined;

  constructor(settings: MachineSettings, random: Random) {
    this.#settings = settings;
    this.#random = random;
    this.#leases = new HeldLeases((effect) => this.#effects.push(effect));
  }

  get phase(): Phase {
    return this.#phase;
  }
  get membership(): { readonly memberId: string; readonly generation: number } {
    return { memberId: this.#memberId, generation: this.#generation };
  }
  /** When the last request left that the coordinator answered as to a member. */
  get heardAt(): number {
    return this.#heardAt;
  }
  /** Everything owned is lost at this time, unless the coordinator answers before. */
  get sessionEndsAt(): number {
    return Math.min(this.#silentFrom, this.#brokenAt + this.#graceMs * (1 - this.#settings.clockDriftRatio));
  }
  /** When a session has passed since the coordinator was heard. */
  get #silentFrom(): number {
    const { sessionTimeoutMs, clockDriftRatio } = this.#settings;
    return this.#heardAt + sessionTimeoutMs * (1 - clockDriftRatio);
  }
  /** A `tick` is needed then, at the latest. */
  get wakeAt(): number {
    const session = this.#leases.hasAny ? this.sessionEndsAt : Number.POSITIVE_INFINITY;
    const heartbeat = this.#isBeating || !this.#beats() ? Number.POSITIVE_INFINITY : this.#heartbeatAt;
    return Math.min(session, heartbeat, this.#retryAt, this.#leases.drainUntil);
  }

  /** Another thread has heard from the coordinator, to a request that left then. */
  heard(sentAt: number): void {
    this.#heardAt = Math.max(this.#heardAt, sentAt);
    if (sentAt > this.#brokenAt) this.#brokenAt = Number.POSITIVE_INFINITY;
  }
  /** A request failed, and with it all connections: the coordinator may see that no earlier than now. */
  #failedRequest({ code: failure }: { readonly code: number }): void {
    if (failure === UNREACHABLE) this.#brokenAt = Math.min(this.#brokenAt, this.#now);
  }

  step(input: Input, now: number): readonly Effect[] {
    this.#now = now;
    this.#timers();
    this.#take(input);
    this.#moveOn();
    return this.#effects.splice(0);
  }

  #take(input: Input): void {
    switch (input.kind) {
      case 'start':
        if (!['idle', 'left'].includes(this.#phase)) return;
        this.#leaving = undefined;
        this.#isNew = true;
        return this.#join('it starts');
      case 'tick':
        return;
      case 'joined':
        this.#failedRequest(input);
        return this.#phase === 'joining' && input.attempt === this.#attempt ? this.#joined(input) : undefined;
      case 'synced':
        this.#failedRequest(input);
        return this.#phase === 'syncing' && input.attempt === this.#attempt ? this.#synced(input) : undefined;
      case 'not-assigned':
        if (this.#phase !== 'syncing' || input.attempt !== this.#attempt) return;
        this.#phase = 'joining';
        return this.#retry('Metadata', UNREACHABLE, input.detail);
      case 'beat':
        return this.#beat(input);
      case 'settled':
        return this.#leases.settled(input.id);
      case 'topics-changed':
        if (this.#phase === 'stable') this.#rebalance('the topics have changed');
        return;
      case 'leave':
        return this.#leave(input);
      case 'left':
        if (this.#phase === 'leaving') this.#forget('left');
        return;
      default:
        assertNever(input);
    }
  }

  #timers(): void {
    if (this.#leases.hasAny && this.#now >= this.sessionEndsAt)
      this.#lose(
        this.#now < this.#silentFrom
          ? 'its connection to the coordinator was lost, and none was made in time'
          : 'nothing was heard from the coordinator for a session timeout',
      );
    this.#leases.drain(this.#now);
    if (this.#now >= this.#retryAt) {
      this.#retryAt = Number.POSITIVE_INFINITY;
      if (this.#phase === 'joining') this.#join('it tries again');
      else if (this.#phase === 'syncing') this.#sync();
    }
    if (!this.#isBeating && this.#beats() && this.#now >= this.#heartbeatAt) {
      this.#isBeating = true;
      this.#effects.push({ kind: 'heartbeat', ...this.membership });
    }
  }

  /** A member that waits in JoinGroup or SyncGroup speaks for what it still holds. */
  #beats(): boolean {
    if (this.#memberId === '' || this.#generation === NO_GENERATION) return false;
    if (['stable', 'draining', 'leaving'].includes(this.#phase)) return true;
    return ['joining', 'syncing'].includes(this.#phase) && this.#leases.hasAny;
  }

  /** What was waited for has come. */
  #moveOn(): void {
    if (this.#phase === 'stable') this.#leases.open(this.#memberId);
    if (this.#leases.isDraining) return;
    if (this.#phase === 'draining') this.#join('it has stopped');
    else if (this.#phase === 'stable' && this.#mustRejoin !== undefined && this.#isHeard())
      this.#join(this.#mustRejoin);
    else if (this.#phase === 'leaving' && this.#leaving !== undefined) this.#sayGoodbye();
  }

  /** While the coordinator is silent a JoinGroup would only be lost. */
  #isHeard(): boolean {
    return this.#now < this.sessionEndsAt;
  }

  #join(reason: string): void {
    this.#phase = 'joining';
    this.#mustRejoin = undefined;
    this.#syncing = undefined;
    this.#retryAt = Number.POSITIVE_INFINITY;
    this.#reason = reason;
    const owned = this.#settings.cooperative ? this.#leases.all() : [];
    this.#claimed = owned;
    this.#effects.push({ kind: 'join', attempt: ++this.#attempt, ...this.membership, owned, reason });
  }

  #joined(answer: Joined): void {
    switch (answer.code) {
      case code.none:
        break;
      case code.idRequired:
        this.#memberId = answer.memberId;
        return this.#join(this.#reason);
      case code.unknownMember:
        return this.#expelled('JoinGroup', answer);
      default:
        return this.#retry('JoinGroup', answer.code, answer.detail);
    }
    if (this.#announced !== answer.memberId)
      this.#effects.push({ kind: 'became-member', memberId: answer.memberId, generation: answer.generation });
    this.#announced = answer.memberId;
    this.#hasBeenMember = true;
    this.#memberId = answer.memberId;
    this.#generation = answer.generation;
    this.heard(answer.sentAt);
    this.#phase = 'syncing';
    const { protocolName, members } = answer;
    this.#syncing = { kind: 'sync', attempt: 0, ...this.membership, protocolName, members };
    this.#sync();
  }

  #sync(): void {
    if (this.#syncing !== undefined) this.#effects.push({ ...this.#syncing, attempt: ++this.#attempt });
  }

  #synced(answer: Synced): void {
    switch (answer.code) {
      case code.none:
        break;
      case code.rebalancing:
        return this.#join('the group rebalances again');
      case code.illegalGeneration:
        this.#lose('the group has gone on without this member');
        return this.#join('it has missed a generation');
      case code.unknownMember:
        return this.#expelled('SyncGroup', answer);
      default:
        return this.#retry('SyncGroup', answer.code, answer.detail);
    }
    this.heard(answer.sentAt);
    this.#graceMs = answer.graceMs === undefined || answer.graceMs === 0 ? Infinity : answer.graceMs;
    this.#failures = 0;
    this.#phase = 'stable';
    this.#syncing = undefined;
    this.#mustRejoin = undefined;
    this.#heartbeatAt = this.#now + this.#settings.heartbeatIntervalMs;
    const drainUntil = this.#now + this.#settings.drainMs;
    this.#leases.assign(answer.assigned, this.#generation, drainUntil);
    // Nobody else was given what JoinGroup named as owned. It drains, or has settled since: the group has to be told.
    if (this.#claimed.some((each) => !this.#leases.keeps(each)))
      this.#mustRejoin = 'it has given up what it was asked for';
    else if (this.#isNew && this.#settings.cooperative && typeof this.#settings.instanceId === 'string')
      this.#mustRejoin = 'an earlier process under its name may have ended between two rounds';
    this.#isNew = false;
    this.#leases.open(this.#memberId);
    this.#effects.push({ kind: 'rebalanced', generation: this.#generation, owned: answer.assigned.length });
  }

  #beat(answer: Beat): void {
    this.#isBeating = false;
    this.#failedRequest(answer);
    // From when it left: the coordinator may have held it, and is not to miss the next one for as long again.
    this.#heartbeatAt = Math.max(this.#now, answer.sentAt + this.#settings.heartbeatIntervalMs);
    if (answer.memberId !== this.#memberId || answer.generation !== this.#generation || !this.#beats())
      return;
    const isJoining = this.#phase === 'joining' || this.#phase === 'syncing';
    switch (answer.code) {
      case code.none:
      case code.rebalancing:
        this.#missedBeats = 0;
        this.heard(answer.sentAt);
        if (answer.drain === true) return this.#leave({ reason: DRAINED, silently: false });
        if (answer.code === code.rebalancing && this.#phase === 'stable')
          this.#rebalance('the group rebalances');
        return;
      case code.illegalGeneration:
        // The next generation has started: the answer to JoinGroup is on its way.
        if (isJoining) return;
        this.#lose('the group has gone on without this member');
        if (this.#phase !== 'leaving') this.#join('it has missed a generation');
        return;
      case code.unknownMember:
        return this.#expelled('Heartbeat', answer);
      default: {
        if (FATAL.includes(answer.code)) return this.#fail('Heartbeat', answer.code, answer.detail);
        const { backOff, heartbeatIntervalMs } = this.#settings;
        const pause = backOffMs(backOff, this.#missedBeats++, this.#random.next());
        this.#heartbeatAt = this.#now + Math.min(heartbeatIntervalMs, pause);
      }
    }
  }

  #rebalance(reason: string): void {
    if (this.#settings.cooperative) return this.#join(reason);
    this.#phase = 'draining';
    this.#leases.revokeAll(this.#now + this.#settings.drainMs, reason);
  }

  /** The group does not know this member any more. */
  #expelled(request: string, { detail = '' }: { readonly detail?: string }): void {
    this.#lose('the group has removed this member');
    this.#memberId = '';
    this.#generation = NO_GENERATION;
    if (this.#phase === 'leaving') return this.#forget('left');
    this.#phase = 'joining';
    this.#retry(request, code.unknownMember, detail);
  }

  #retry(request: string, failure: number, detail = ''): void {
    if (FATAL.includes(failure) || (REFUSED.includes(failure) && !this.#hasBeenMember))
      return this.#fail(request, failure, detail);
    this.#effects.push({ kind: 'failed', request, code: failure, detail, fatal: false });
    this.#attempt++;
    this.#retryAt = this.#now + backOffMs(this.#settings.backOff, this.#failures++, this.#random.next());
  }

  #fail(request: string, failure: number, detail = ''): void {
    this.#effects.push({ kind: 'failed', request, code: failure, detail, fatal: true });
    this.#lose('the worker has failed');
    this.#forget('failed');
  }

  #lose(why: string): void {
    this.#leases.loseAll(why);
    // What the group still has on record as owned here has to start again.
    this.#mustRejoin = 'it lost what it owned';
  }

  #leave({ reason, silently }: { readonly reason: string; readonly silently: boolean }): void {
    if (['idle', 'left', 'failed', 'leaving'].includes(this.#phase)) {
      if (this.#phase !== 'failed' && this.#phase !== 'leaving') this.#phase = 'left';
      return;
    }
    this.#phase = 'leaving';
    this.#attempt++;
    this.#retryAt = Number.POSITIVE_INFINITY;
    this.#leaving = { reason, silently };
    this.#leases.revokeAll(this.#now + this.#settings.drainMs, reason);
  }

  #sayGoodbye(): void {
    const { reason, silently } = this.#leaving!;
    this.#leaving = undefined;
    if (this.#memberId === '' || silently) return this.#forget('left');
    this.#effects.push({ kind: 'leave', memberId: this.#memberId, reason });
  }

  #forget(phase: 'left' | 'failed'): void {
    this.#phase = phase;
    this.#announced = '';
    this.#memberId = '';
    this.#generation = NO_GENERATION;
    this.#attempt++;
    this.#hasBeenMember = false;
    this.#mustRejoin = undefined;
    this.#retryAt = Number.POSITIVE_INFINITY;
  }
}

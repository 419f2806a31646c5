import { assertNever, type GroupId, type MemberId, type MonotonicMs, monotonicMs } from '../kernel/index.js';
import type { MachineView, News, Timer, TimerChange } from '../machine/index.js';
import { Deadlines } from './deadlines.js';

/** A timer of a group whose time is over. */
export type DueTimer = Pick<Extract<TimerChange, { kind: 'arm' }>, 'group' | 'timer' | 'token'>;

/**
 * After a change of leader a member keeps its session, but a group that rebalances does not wait for it for longer than this
 * from the change on: who has lost its connection together with everybody else is back by then, or gone. Milliseconds.
 */
const RETURN_MS = 3_000;
/** Thousands of members take longer to come back. Milliseconds for each. */
const RETURN_MS_A_MEMBER = 2;
/**
 * So many expiries are proposed at a tick, and so many members are removed by one command: when thousands of members are gone
 * at once, no replica has to apply all of it in one go.
 */
const EXPIRIES_A_TICK = 250;
/** News after which a group waits for all its members. */
const WAITED_FOR: ReadonlySet<News['kind']> = new Set(['member-joined', 'rebalance-started']);

/** The timers of a shard's groups, as its leader keeps them: soft state, which the next leader arms anew. */
export class GroupTimers {
  readonly #deadlines: Deadlines<DueTimer>;
  /** Until when members that were not heard since the change of leader are waited for ... */
  #returnBy = monotonicMs(0);
  /** ... by the groups that have had a reason to wait. */
  readonly #hurried = new Set<GroupId>();
  /** Sessions of members of which only commits came since the change of leader. */
  readonly #onlyCommitted = new Set<string>();

  constructor(now: MonotonicMs) {
    this.#deadlines = new Deadlines(now);
  }

  /** Kafka: every member gets a full session timeout at the new coordinator (docs/clients.md#failover). */
  takeOver({ groups }: MachineView, now: MonotonicMs): void {
    this.clear();
    this.#returnBy = monotonicMs(now + RETURN_MS);
    for (const timer of groups.timers()) this.change(timer, { now, heard: false });
  }
  clear(): void {
    this.#deadlines.clear();
    this.#hurried.clear();
    this.#onlyCommitted.clear();
  }

  endSession(group: GroupId, member: MemberId, now: MonotonicMs): void {
    this.#deadlines.end(timerKey(group, { kind: 'session', member }), now);
  }
  heard(group: GroupId, member: MemberId): boolean {
    const key = timerKey(group, { kind: 'session', member });
    return this.#deadlines.wasTouched(key) && !this.#onlyCommitted.has(key);
  }
  touch(group: GroupId, member: MemberId, now: MonotonicMs, by?: 'commit'): void {
    const key = timerKey(group, { kind: 'session', member });
    if (by === undefined) {
      if (this.#onlyCommitted.size > 0) this.#onlyCommitted.delete(key);
    } else if (!this.#deadlines.wasTouched(key)) this.#onlyCommitted.add(key);
    this.#deadlines.touch(key, now);
  }
  /** The first of those that are due; the others are due next time. */
  due(now: MonotonicMs): readonly DueTimer[] {
    return this.#deadlines.due(now, EXPIRIES_A_TICK).map(({ what }) => what);
  }
  /**
   * The end of a barrier that would remove more members than one command may: their sessions end first, a part at each tick,
   * and the barrier when few are left. A member that comes in between is not removed. False: the end may be proposed.
   */
  endsInParts(due: DueTimer, { groups }: MachineView, now: MonotonicMs): boolean {
    const { kind } = due.timer;
    if (kind !== 'join' && kind !== 'sync') return false;
    const missing = [...groups.missing(due.group, kind)];
    if (missing.length <= EXPIRIES_A_TICK) return false;
    let ended = 0;
    for (const member of missing)
      if (this.#deadlines.end(timerKey(due.group, { kind: 'session', member }), now)) ended++;
    if (ended === 0) return false;
    this.again(due, 0, now);
    return true;
  }
  again(due: DueTimer, afterMs: number, now: MonotonicMs): void {
    this.#deadlines.arm(timerKey(due.group, due.timer), due, afterMs, now);
  }

  /** `heard`: a member's own request is the cause, not a change of leader. */
  change(change: TimerChange, { now, heard }: { readonly now: MonotonicMs; readonly heard: boolean }): void {
    switch (change.kind) {
      case 'arm': {
        const { group, timer, token } = change;
        const key = timerKey(group, timer);
        this.#deadlines.arm(key, { group, timer, token }, change.afterMs, now);
        if (heard) {
          this.#onlyCommitted.delete(key);
          this.#deadlines.touch(key, now);
        }
        return;
      }
      case 'cancel': {
        const key = timerKey(change.group, change.timer);
        this.#onlyCommitted.delete(key);
        return this.#deadlines.cancel(key);
      }
      case 'cancel-group':
        // Its members were removed one by one, each with its own cancel; what is left is re-checked when it fires.
        for (const kind of ['initial', 'join', 'sync'] as const)
          this.#deadlines.cancel(timerKey(change.group, { kind }));
        return;
      default:
        return assertNever(change);
    }
  }

  /** Somebody may wait for the members of a group: once after each change of leader, those not heard are asked to hurry. */
  told(news: readonly News[], { groups }: MachineView): void {
    for (const each of news) {
      if (!WAITED_FOR.has(each.kind) || !('group' in each) || this.#hurried.has(each.group)) continue;
      this.#hurried.add(each.group);
      const members = [...groups.dynamicMembers(each.group)];
      const returnBy = monotonicMs(this.#returnBy + members.length * RETURN_MS_A_MEMBER);
      for (const member of members)
        this.#deadlines.hurry(timerKey(each.group, { kind: 'session', member }), returnBy);
    }
  }
}

function timerKey(group: GroupId, timer: Timer): string {
  return 'member' in timer
    ? `${timer.kind}\u0000${group}\u0000${timer.member}`
    : `${timer.kind}\u0000${group}`;
}

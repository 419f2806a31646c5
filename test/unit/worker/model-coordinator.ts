import {
  createGroups,
  type GroupCommand,
  type GroupOutcome,
  type GroupReply,
  type Groups,
  type Timer,
} from '../../../src/groups/index.js';
import { groupId, memberId, slot, wallMs } from '../../../src/kernel/index.js';

export const GROUP = groupId('g');
export const SESSION_MS = 6_000;

/** The time of the world. */
export interface WorldTime {
  readonly now: number;
  after(ms: number, run: () => void): void;
}

/** The coordinator: the state machine of groups as it is, under a clock of the world, with timers and parked answers. */
export class ModelCoordinator {
  readonly groups: Groups = createGroups();
  isUp = true;
  #slot = 0;
  readonly #timers = new Map<string, symbol>();
  readonly #parked = new Map<string, (reply: GroupReply) => void>();

  constructor(readonly world: WorldTime) {}

  submit(command: GroupCommand, done: (reply: GroupReply) => void): void {
    const outcome = this.groups.apply(command, { slot: slot(++this.#slot), at: wallMs(this.world.now) });
    const { reply } = outcome;
    if (reply.kind === 'join-parked') this.#parked.set(`join ${reply.memberId}`, done);
    else if (reply.kind === 'sync-parked') this.#parked.set(`sync ${reply.memberId}`, done);
    else done(reply);
    this.#take(outcome);
  }

  touch(member: string): void {
    this.#arm({ kind: 'session', member: memberId(member) }, SESSION_MS, this.#tokens.get(member) ?? 0);
  }
  readonly #tokens = new Map<string, number>();

  /** The process dies; another one leads after `ms`, and gives everybody a full session. */
  crash(ms: number): void {
    this.isUp = false;
    this.#timers.clear();
    this.#parked.clear();
    this.world.after(ms, () => {
      this.isUp = true;
      for (const { timer, afterMs, token } of this.groups.timers()) this.#arm(timer, afterMs, token);
    });
  }

  #take({ news, timers }: GroupOutcome): void {
    for (const change of timers) {
      if (change.kind === 'arm') this.#arm(change.timer, change.afterMs, change.token);
      else if (change.kind === 'cancel') this.#timers.delete(keyOf(change.timer));
      else this.#timers.clear();
    }
    for (const item of news) {
      if (item.kind !== 'join-answer' && item.kind !== 'sync-answer') continue;
      const kind = item.kind === 'join-answer' ? 'join' : 'sync';
      const key = `${kind} ${item.memberId}`;
      this.#parked.get(key)?.({ kind, answer: item.answer } as GroupReply);
      this.#parked.delete(key);
    }
  }

  #arm(timer: Timer, afterMs: number, token: number): void {
    if (timer.kind === 'session') this.#tokens.set(timer.member, token);
    // Armed anew in the same millisecond it is another one, with another token.
    const armed = Symbol(timer.kind);
    this.#timers.set(keyOf(timer), armed);
    this.world.after(afterMs, () => {
      if (!this.isUp || this.#timers.get(keyOf(timer)) !== armed) return;
      this.#timers.delete(keyOf(timer));
      this.submit({ kind: 'group.expire', group: GROUP, timer, token }, () => undefined);
    });
  }
}
const keyOf = (timer: Timer): string => `${timer.kind} ${'member' in timer ? timer.member : ''}`;

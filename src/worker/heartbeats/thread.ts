import { parentPort, workerData } from 'node:worker_threads';
import { GroupClient, type Membership } from '../../client/index.js';
import { errorCode } from '../../wire/index.js';
import { SharedMemory } from './memory.js';
import type { BeatOrder, ThreadMessage, ThreadOptions } from './messages.js';

/** Answers of a coordinator to one who is a member. */
const MEMBER: readonly number[] = [errorCode('NONE'), errorCode('REBALANCE_IN_PROGRESS')];

/**
 * The heartbeat thread: sends what the main thread orders, and goes on by itself while that one is blocked, but not beyond
 * `loopBlockedMsMax`: a process whose loop is blocked for good is not alive, and others are to take over.
 */
class HeartbeatThread {
  readonly #options: ThreadOptions;
  readonly #client: GroupClient;
  readonly #memory: SharedMemory;
  readonly #tell: (message: ThreadMessage) => void;
  #member: Membership | undefined;
  #underWay = 0;

  constructor(options: ThreadOptions, tell: (message: ThreadMessage) => void) {
    this.#options = options;
    this.#tell = tell;
    this.#client = new GroupClient(options.client);
    this.#memory = new SharedMemory(options.memory);
    setInterval(() => this.#look(), options.heartbeatIntervalMs);
  }

  order({ id, memberId, generation }: BeatOrder): void {
    const member = { memberId, generation };
    this.#member = memberId === '' ? undefined : member;
    if (id === 0) return;
    this.#beat(member).then(
      ({ code, drain }) => this.#tell({ kind: 'answered', id, code, drain }),
      (error: unknown) => this.#tell({ kind: 'unanswered', id, why: (error as Error).message }),
    );
  }

  async #beat(member: Membership): Promise<{ readonly code: number; readonly drain: boolean }> {
    const sentAt = SharedMemory.sendingNow();
    this.#underWay++;
    try {
      const answer = await this.#client.heartbeat(member);
      if (this.#member === member && MEMBER.includes(answer.code)) this.#memory.heard(sentAt);
      return answer;
    } finally {
      this.#underWay--;
    }
  }

  #look(): void {
    const { quietMs } = this.#memory;
    const { heartbeatIntervalMs, loopBlockedMsMax } = this.#options;
    const member = this.#member;
    if (member === undefined || quietMs < 2 * heartbeatIntervalMs) return;
    if (quietMs < loopBlockedMsMax) {
      // Unanswered: the next one asks again.
      if (this.#underWay === 0) void this.#beat(member).catch(() => undefined);
      return;
    }
    this.#member = undefined;
    this.#memory.giveUp();
    const reason = `its event loop was blocked for ${loopBlockedMsMax} ms`;
    // Unheard, the session ends at the coordinator.
    void this.#client.leave(member.memberId, reason).catch(() => undefined);
  }
}

if (parentPort !== null) {
  const port = parentPort;
  const thread = new HeartbeatThread(workerData as ThreadOptions, (message) => port.postMessage(message));
  port.on('message', (order: BeatOrder) => thread.order(order));
}

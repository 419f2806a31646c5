import { Worker as Thread } from 'node:worker_threads';
import { ConnectionError, type GroupClientOptions, type Membership } from '../../client/index.js';
import type { CheckedOptions } from '../options.js';
import { SharedMemory } from './memory.js';
import type { BeatOrder, ThreadMessage, ThreadOptions } from './messages.js';

/** Whoever sends the heartbeats of a member. Rejects with ConnectionError or BrokerError. */
export interface Heartbeats {
  heartbeat(member: Membership): Promise<{ readonly code: number; readonly drain: boolean }>;
}

interface Waiting {
  readonly resolve: (answer: { readonly code: number; readonly drain: boolean }) => void;
  readonly reject: (error: Error) => void;
}

/** The heartbeats of a worker in a thread of their own, as the main thread sees it. */
export class ThreadedHeartbeats implements Heartbeats {
  readonly #memory = new SharedMemory();
  readonly #thread: Thread;
  readonly #waiting = new Map<number, Waiting>();
  readonly #pulse: NodeJS.Timeout;
  #nextId = 1;
  #followed: Membership = { memberId: '', generation: -1 };
  #failure: ConnectionError | undefined;

  constructor(
    client: GroupClientOptions,
    { heartbeatIntervalMs, loopBlockedMsMax }: CheckedOptions,
    ended: (why: string) => void,
  ) {
    const options: ThreadOptions = {
      client,
      memory: this.#memory.buffer,
      heartbeatIntervalMs,
      loopBlockedMsMax,
    };
    this.#memory.alive();
    this.#pulse = setInterval(() => this.#memory.alive(), heartbeatIntervalMs / 2).unref();
    this.#thread = new Thread(new URL('./thread.js', import.meta.url), { workerData: options });
    this.#thread.unref();
    this.#thread.on('message', (message: ThreadMessage) => {
      const waiting = this.#waiting.get(message.id);
      this.#waiting.delete(message.id);
      if (message.kind === 'answered') waiting?.resolve({ code: message.code, drain: message.drain });
      else waiting?.reject(new ConnectionError('the heartbeat thread', message.why));
    });
    this.#thread.once('error', (error) => {
      this.#fail(error.message);
      ended(error.message);
    });
    this.#thread.once('exit', () => this.#fail('it has ended'));
  }

  /** The thread speaks for this member from now on, also when this one is blocked before its next heartbeat. */
  follow(member: Membership): void {
    const { memberId, generation } = this.#followed;
    if (memberId === member.memberId && generation === member.generation) return;
    this.#followed = member;
    this.#thread.postMessage({ id: 0, ...member } satisfies BeatOrder);
  }

  heartbeat(member: Membership): Promise<{ readonly code: number; readonly drain: boolean }> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    this.#memory.alive();
    const order: BeatOrder = { id: this.#nextId++, ...member };
    return new Promise((resolve, reject) => {
      this.#waiting.set(order.id, { resolve, reject });
      this.#thread.postMessage(order);
    });
  }

  /** How long ago the last answered heartbeat left. Milliseconds; Infinity: not known. */
  get heardAgoMs(): number {
    return this.#memory.heardAgoMs;
  }
  /** It has left the group, because this thread was blocked for too long. */
  get hasGivenUp(): boolean {
    return this.#memory.hasGivenUp;
  }
  /** Everything is lost here, too. */
  beginAnew(): void {
    this.#memory.beginAnew();
  }

  close(): void {
    clearInterval(this.#pulse);
    void this.#thread.terminate();
  }

  #fail(why: string): void {
    this.#failure ??= new ConnectionError('the heartbeat thread', why);
    for (const { reject } of this.#waiting.values()) reject(this.#failure);
    this.#waiting.clear();
  }
}

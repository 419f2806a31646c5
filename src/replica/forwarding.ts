import {
  MalformedBytesError,
  type MonotonicMs,
  monotonicMs,
  type ReplicaId,
  type ShardId,
  wallMs,
} from '../kernel/index.js';
import { type Command, decodeCommand, encodeCommand, type Reply, type ReplyTo } from '../machine/index.js';
import type { ForwardableCommand, Outcome } from './coordinator.js';
import { encodeFrame, type PeerFrame } from './frames.js';
import { DEFAULT_LIMITS, type Limits } from './limits.js';

/** Requests of one process are numbered within this; the number of the process is in the bits above it. */
const REQUESTS_PER_RUN = 2 ** 20;

interface Waiting {
  readonly shard: ShardId;
  readonly command: ForwardableCommand;
  /** The command as it travels. */
  readonly payload: Uint8Array;
  readonly deadline: MonotonicMs;
  readonly done: (outcome: Outcome<Reply>) => void;
  /** Who has it; undefined while it waits for a leader. */
  sentTo: ReplicaId | 'here' | undefined;
}

export interface ForwardingPort {
  now(): MonotonicMs;
  /** The leader of a shard, as far as known. */
  leaderOf(shard: ShardId): ReplicaId | undefined;
  serves(shard: ShardId): boolean;
  submit(shard: ShardId, command: Command, done: (outcome: Outcome<Reply>) => void): void;
  send(to: ReplicaId, frame: Uint8Array): boolean;
}

/** Brings a command to whichever replica leads its shard, and the answer back. Bounded in time and in number. */
export class Forwarding {
  readonly #port: ForwardingPort;
  readonly #waiting = new Map<number, Waiting>();
  readonly #firstRequest: number;
  readonly #featureLevel: number | undefined;
  readonly #limits: Limits;
  #requests = 0;

  /** `run`: a random number of this process, below 2^32. An answer to an earlier process of this replica is no answer to us. */
  constructor(port: ForwardingPort, run: number, featureLevel?: number, limits: Limits = DEFAULT_LIMITS) {
    this.#port = port;
    this.#limits = limits;
    this.#featureLevel = featureLevel;
    this.#firstRequest = run * REQUESTS_PER_RUN;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** Throws, before anything is kept, when the command cannot be encoded: that is the caller's own request. */
  submit<C extends ForwardableCommand>(
    shard: ShardId,
    command: C,
    done: (outcome: Outcome<ReplyTo<C>>) => void,
  ): void {
    if (this.#waiting.size >= this.#limits.forwarded) return done({ kind: 'overloaded' });
    const payload = encodeCommand({ at: wallMs(0), command });
    const request = this.#firstRequest + (this.#requests++ % REQUESTS_PER_RUN);
    const deadline = monotonicMs(this.#port.now() + this.#limits.forwardedMs);
    // The machine answers a command with the reply of its kind (Machine.apply), which the map's type cannot say.
    const settle = done as (outcome: Outcome<Reply>) => void;
    const waiting: Waiting = { shard, command, payload, deadline, done: settle, sentTo: undefined };
    this.#waiting.set(request, waiting);
    this.#try(request, waiting);
  }

  /** The leader of a shard became known, or a link came or went. */
  retry(): void {
    for (const [request, waiting] of [...this.#waiting])
      if (waiting.sentTo === undefined) this.#try(request, waiting);
  }

  peerDown(peer: ReplicaId): void {
    for (const [request, waiting] of [...this.#waiting]) {
      if (waiting.sentTo === peer) this.#settle(request, { kind: 'outcome-unknown' });
    }
  }

  tick(): void {
    if (this.#waiting.size === 0) return;
    const now = this.#port.now();
    for (const [request, { deadline, sentTo }] of [...this.#waiting]) {
      if (deadline > now) continue;
      this.#settle(
        request,
        sentTo === undefined ? { kind: 'not-leader', leader: undefined } : { kind: 'outcome-unknown' },
      );
    }
    this.retry();
  }

  /** A peer asks us, believing that we lead. */
  asked(from: ReplicaId, frame: Extract<PeerFrame, { kind: 'forward' }>): void {
    const { request, shard } = frame;
    const answer = (outcome: Outcome<Reply>): void => {
      this.#port.send(from, encodeFrame({ kind: 'forwarded', request, outcome: JSON.stringify(outcome) }));
    };
    const command = readCommand(frame.payload, this.#featureLevel);
    // Of a newer version. Nothing happened.
    if (command === undefined) return answer({ kind: 'overloaded' });
    this.#port.submit(shard, command, answer);
  }

  /** Only who was asked may answer, and only the process that asked may hear it. */
  answered(from: ReplicaId, frame: Extract<PeerFrame, { kind: 'forwarded' }>): void {
    const waiting = this.#waiting.get(frame.request);
    if (waiting === undefined || waiting.sentTo !== from) return;
    this.#outcome(frame.request, waiting, readOutcome(frame.outcome));
  }

  #try(request: number, waiting: Waiting): void {
    const { shard, command, payload } = waiting;
    if (this.#port.serves(shard)) {
      // Proposed once: a second proposal would find what the first has done, and its answer would be told.
      waiting.sentTo = 'here';
      return this.#port.submit(shard, command, (outcome) => this.#outcome(request, waiting, outcome));
    }
    const leader = this.#port.leaderOf(shard);
    if (leader === undefined) return;
    if (this.#port.send(leader, encodeFrame({ kind: 'forward', request, shard, payload })))
      waiting.sentTo = leader;
  }

  #outcome(request: number, waiting: Waiting, outcome: Outcome<Reply>): void {
    // Nothing happened yet: the next leader may take it, until the deadline.
    if (outcome.kind === 'not-leader') waiting.sentTo = undefined;
    else this.#settle(request, outcome);
  }

  #settle(request: number, outcome: Outcome<Reply>): void {
    const waiting = this.#waiting.get(request);
    this.#waiting.delete(request);
    waiting?.done(outcome);
  }
}

function readCommand(payload: Uint8Array, featureLevel: number | undefined): Command | undefined {
  try {
    return decodeCommand(payload, featureLevel).command;
  } catch (error) {
    if (error instanceof MalformedBytesError) return undefined;
    throw error;
  }
}

/** An answer that cannot be read leaves open what happened. */
function readOutcome(text: string): Outcome<Reply> {
  try {
    return JSON.parse(text) as Outcome<Reply>;
  } catch {
    return { kind: 'outcome-unknown' };
  }
}

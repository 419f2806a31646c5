import { type MonotonicMs, monotonicMs, type ReplicaId, type ShardId, type Slot } from '../kernel/index.js';
import type { MachineView } from '../machine/index.js';
import type { ReadOutcome } from './coordinator.js';
import { encodeFrame, type PeerFrame } from './frames.js';
import { DEFAULT_LIMITS } from './limits.js';

/** How long a read may wait for a leader, for its answer, and until this replica has applied as much. Milliseconds. */
const READ_TIMEOUT_MS = 2_000;
/** Requests of one process are numbered within this; the number of the process stands above it. */
const REQUESTS_PER_RUN = 2 ** 20;
/** The first feature level that answers. */
const READS_ASKED = 3;

type ReadDone = (outcome: ReadOutcome) => void;

interface Waiting {
  readonly shard: ShardId;
  readonly deadline: MonotonicMs;
  readonly done: ReadDone;
  /** The question whose answer it waits for; undefined while there is none. */
  asked: number | undefined;
  /** What must be applied here first; undefined until the leader has said it. */
  through: Slot | undefined;
}

export interface ReadPort {
  now(): MonotonicMs;
  leaderOf(shard: ShardId): ReplicaId | undefined;
  serves(shard: ShardId): boolean;
  /** At the leader: linearizable. */
  read(shard: ShardId, done: ReadDone): void;
  peek(shard: ShardId): MachineView;
  levelOf(peer: ReplicaId): number;
  send(to: ReplicaId, frame: Uint8Array): boolean;
}

/**
 * Linearizable reads at a replica that does not lead: the leader says through which slot it has applied (a read of its
 * own), and the state here answers once it has come as far. Reads that begin while a question is under way share the next.
 */
export class RemoteReads {
  readonly #port: ReadPort;
  readonly #waiting = new Set<Waiting>();
  /** The question under way, by shard. */
  readonly #underWay = new Map<ShardId, { readonly request: number; readonly to: ReplicaId }>();
  readonly #firstRequest: number;
  readonly #most: number;
  #requests = 0;

  /** `run`: as for Forwarding. */
  constructor(port: ReadPort, run: number, most: number = DEFAULT_LIMITS.readsElsewhere) {
    this.#port = port;
    this.#most = most;
    this.#firstRequest = run * REQUESTS_PER_RUN;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  read(shard: ShardId, done: ReadDone): void {
    if (this.#port.serves(shard)) return this.#port.read(shard, done);
    if (this.#waiting.size >= this.#most) return done({ kind: 'overloaded' });
    const deadline = monotonicMs(this.#port.now() + READ_TIMEOUT_MS);
    this.#waiting.add({ shard, deadline, done, asked: undefined, through: undefined });
    this.#ask(shard);
  }

  heard(from: ReplicaId, frame: Extract<PeerFrame, { kind: 'readAsk' | 'readAnswer' }>): void {
    if (frame.kind === 'readAsk') this.#asked(from, frame);
    else this.#answered(from, frame);
  }

  /** A peer asks us, believing that we lead. */
  #asked(from: ReplicaId, { request, shard }: Extract<PeerFrame, { kind: 'readAsk' }>): void {
    this.#port.read(shard, (outcome) => {
      const through = outcome.kind === 'ok' ? outcome.view.appliedThrough : null;
      this.#port.send(from, encodeFrame({ kind: 'readAnswer', request, shard, through }));
    });
  }

  #answered(from: ReplicaId, { request, shard, through }: Extract<PeerFrame, { kind: 'readAnswer' }>): void {
    const underWay = this.#underWay.get(shard);
    if (underWay?.request !== request || underWay.to !== from) return;
    this.#underWay.delete(shard);
    for (const waiting of this.#waiting) {
      if (waiting.asked !== request) continue;
      waiting.asked = undefined;
      if (through !== null) waiting.through = through;
    }
    // Refused: `tick` asks the replica that leads then. Asked again at once it would be refused again.
    if (through !== null) this.#ask(shard);
    this.applied();
  }

  /** More was applied here. */
  applied(): void {
    if (this.#waiting.size === 0) return;
    for (const waiting of [...this.#waiting]) {
      if (waiting.through === undefined) continue;
      const view = this.#port.peek(waiting.shard);
      if (view.appliedThrough >= waiting.through && !view.underWay) this.#end(waiting, { kind: 'ok', view });
    }
  }

  peerDown(peer: ReplicaId): void {
    for (const [shard, { to }] of [...this.#underWay]) if (to === peer) this.#forget(shard);
  }

  tick(): void {
    if (this.#waiting.size === 0) return;
    const now = this.#port.now();
    for (const waiting of [...this.#waiting]) {
      if (waiting.deadline <= now)
        this.#end(waiting, { kind: 'not-leader', leader: this.#port.leaderOf(waiting.shard) });
    }
    for (const shard of new Set([...this.#waiting].map((waiting) => waiting.shard))) {
      const underWay = this.#underWay.get(shard);
      // It leads no more, and may never answer.
      if (underWay !== undefined && underWay.to !== this.#port.leaderOf(shard)) this.#forget(shard);
      this.#ask(shard);
    }
    this.applied();
  }

  #forget(shard: ShardId): void {
    this.#underWay.delete(shard);
    for (const waiting of this.#waiting) if (waiting.shard === shard) waiting.asked = undefined;
  }

  #ask(shard: ShardId): void {
    if (this.#underWay.has(shard)) return;
    const asking = [...this.#waiting].filter(
      (waiting) => waiting.shard === shard && waiting.asked === undefined && waiting.through === undefined,
    );
    if (asking.length === 0) return;
    if (this.#port.serves(shard)) return this.#readHere(shard, asking);
    const to = this.#port.leaderOf(shard);
    if (to === undefined) return;
    if (this.#port.levelOf(to) < READS_ASKED) {
      // Of an older version, which knows no such question: what was applied here is the best answer there is.
      const view = this.#port.peek(shard);
      for (const waiting of asking) this.#end(waiting, { kind: 'ok', view });
      return;
    }
    const request = this.#firstRequest + (this.#requests++ % REQUESTS_PER_RUN);
    if (!this.#port.send(to, encodeFrame({ kind: 'readAsk', request, shard }))) return;
    this.#underWay.set(shard, { request, to });
    for (const waiting of asking) waiting.asked = request;
  }

  /** This replica leads by now. */
  #readHere(shard: ShardId, asking: readonly Waiting[]): void {
    for (const waiting of asking) {
      this.#waiting.delete(waiting);
      this.#port.read(shard, waiting.done);
    }
  }

  #end(waiting: Waiting, outcome: ReadOutcome): void {
    this.#waiting.delete(waiting);
    waiting.done(outcome);
  }
}

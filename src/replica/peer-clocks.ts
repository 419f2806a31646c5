import type { Log, MonotonicMs, ReplicaId, WallMs } from '../kernel/index.js';
import { CLOCK_TOLERANCE_MS, ClusterClock } from './cluster-clock.js';
import { encodeFrame, type PeerFrame } from './frames.js';
import type { ReplicaOptions } from './options.js';
import type { Members } from './members.js';
import type { Peers } from './peers.js';

/** Peers of this level and above know the frames. */
const CLOCK_LEVEL = 3;

/** Asks the peers for their wall clocks, and says which replica's clock differs from that of the cluster. */
export class PeerClocks {
  readonly #options: ReplicaOptions;
  readonly #peers: Peers;
  readonly #cluster: ClusterClock;
  readonly #log: Log;
  readonly #wrong = new Set<ReplicaId>();
  #waits = false;

  constructor(options: ReplicaOptions, peers: Peers, members: Members) {
    this.#options = options;
    this.#peers = peers;
    this.#log = options.log;
    this.#cluster = new ClusterClock(options.self, members.live, options.clock);
  }

  /** The time of the cluster at `at`, which is now; undefined until a quorum of clocks was heard. */
  now(at: MonotonicMs): WallMs | undefined {
    return this.#cluster.now(at);
  }
  offsets(): ReadonlyMap<ReplicaId, number> {
    return this.#cluster.offsets();
  }

  /** Once a second, and when a link is up. */
  ask(): void {
    const { transport, clock } = this.#options;
    const frame = encodeFrame({ kind: 'clockAsk', askedAt: clock.monotonic() });
    for (const peer of this.#peers.upSince(CLOCK_LEVEL)) transport.send(peer, frame, 'droppable');
    this.#warn();
  }
  heard(from: ReplicaId, frame: Extract<PeerFrame, { kind: 'clockAsk' | 'clockAnswer' }>): void {
    const { askedAt } = frame;
    if (frame.kind === 'clockAnswer') return this.#cluster.heard(from, frame.wall, askedAt);
    const { transport, clock } = this.#options;
    const answer = encodeFrame({ kind: 'clockAnswer', askedAt, wall: clock.wall() });
    transport.send(from, answer, 'droppable');
  }

  /** Whether things of a shard may be deleted because their time has passed, at the time that the shard has reached. */
  mayDelete(shard: { stamp(): WallMs }): boolean {
    const may = this.#cluster.confirms(shard.stamp());
    if (!may && !this.#waits)
      this.#log.warn(
        'offsets past their retention stay: the clocks of a quorum do not say that their time has come',
      );
    this.#waits = !may;
    return may;
  }

  #warn(): void {
    for (const [replica, ms] of this.#cluster.offsets()) {
      const wrong = Math.abs(ms) > CLOCK_TOLERANCE_MS;
      if (wrong === this.#wrong.has(replica)) continue;
      const seconds = (Math.abs(ms) / 1000).toFixed(1);
      if (wrong) {
        this.#wrong.add(replica);
        this.#log.warn(
          `the wall clock of replica ${replica} is ${seconds} s ${ms > 0 ? 'ahead of' : 'behind'} the time of the cluster: check its time synchronization`,
          { replica, offsetMs: ms },
        );
      } else {
        this.#wrong.delete(replica);
        this.#log.info(`the wall clock of replica ${replica} agrees with the cluster again`, { replica });
      }
    }
  }
}

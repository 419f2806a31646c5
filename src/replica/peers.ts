import type { ReplicaId } from '../kernel/index.js';
import { FEATURE_LEVEL, FIRST_FEATURE_LEVEL } from '../machine/index.js';
import type { BrokerAddress } from './coordinator.js';
import type { ReplicaAddress } from './options.js';
import type { Hello } from './ports.js';

/** The other replicas: which have a link now, and what each said in its Hello. */
export class Peers {
  readonly #self: ReplicaId;
  readonly #ownLevel: number;
  readonly #replicas: readonly ReplicaAddress[];
  readonly #up = new Map<ReplicaId, Hello>();
  readonly #met = new Map<ReplicaId, Hello>();
  #selfLeaves = false;
  #remembered: Readonly<Record<string, number>> = {};

  constructor(self: ReplicaId, replicas: readonly ReplicaAddress[], featureLevel = FEATURE_LEVEL) {
    this.#self = self;
    this.#ownLevel = featureLevel;
    this.#replicas = replicas;
  }

  /** Those with a link now. */
  get up(): Iterable<ReplicaId> {
    return this.#up.keys();
  }
  /** Those with a link now that have this feature level. */
  upSince(level: number): readonly ReplicaId[] {
    return [...this.#up]
      .filter(([, { featureLevel = FIRST_FEATURE_LEVEL }]) => featureLevel >= level)
      .map(([id]) => id);
  }
  /** The newest Hello of each peer that had a link since this process started. */
  get met(): ReadonlyMap<ReplicaId, Hello> {
    return this.#met;
  }

  /** The feature levels that an earlier process wrote down. */
  remember(levels: Readonly<Record<string, number>>): void {
    this.#remembered = levels;
  }
  /** Of this replica, or of a peer as it said last, if only to an earlier process; as of the oldest when it never said it. */
  levelOf(peer: ReplicaId): number {
    if (peer === this.#self) return this.#ownLevel;
    const hello = this.#met.get(peer);
    if (hello !== undefined) return hello.featureLevel ?? FIRST_FEATURE_LEVEL;
    return this.#remembered[peer] ?? FIRST_FEATURE_LEVEL;
  }
  /** It said so in its last Hello. */
  isLeaving(peer: ReplicaId): boolean {
    return peer === this.#self ? this.#selfLeaves : this.#met.get(peer)?.leaving === true;
  }
  /** This replica is about to stop. */
  leave(): void {
    this.#selfLeaves = true;
  }
  /** One of those that run now is about to stop. */
  get someoneLeaves(): boolean {
    return this.#selfLeaves || [...this.#up.values()].some(({ leaving }) => leaving === true);
  }
  isUp(peer: ReplicaId): boolean {
    return this.#up.has(peer);
  }
  linkUp(peer: ReplicaId, hello: Hello): void {
    this.#up.set(peer, hello);
    this.#met.set(peer, hello);
  }
  /** False when it had no link. */
  linkDown(peer: ReplicaId): boolean {
    return this.#up.delete(peer);
  }

  /** For the status: what this version knows, and what every replica knows. */
  levels(): { readonly featureLevel: number; readonly featureLevelOfAll: number } {
    return { featureLevel: this.#ownLevel, featureLevelOfAll: this.featureLevel };
  }

  /** What every replica of the cluster knows. A peer that was never met counts as the oldest. */
  get featureLevel(): number {
    const levels = this.#replicas.filter(({ id }) => id !== this.#self).map(({ id }) => this.levelOf(id));
    return Math.min(this.#ownLevel, ...levels);
  }

  /** Every replica of the configuration with the address that clients use: as it said itself, else as configured. */
  brokers(): readonly BrokerAddress[] {
    return this.#replicas.map(({ id, kafka }) => {
      const hello = this.#up.get(id);
      const { host, port } = hello?.kafka ?? kafka;
      const up = id === this.#self || hello !== undefined;
      return { id, host, port, up, leaving: up && this.isLeaving(id), http: hello?.http };
    });
  }
  status(): readonly { readonly id: ReplicaId; readonly up: boolean }[] {
    return this.#replicas
      .filter(({ id }) => id !== this.#self)
      .map(({ id }) => ({ id, up: this.#up.has(id) }));
  }
}

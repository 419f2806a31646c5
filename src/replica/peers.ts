import type { ReplicaId } from '../kernel/index.js';
import {
  type Command,
  FEATURE_LEVEL,
  FIRST_FEATURE_LEVEL,
  LEVEL_OF_SWITCHES,
  levelOf,
} from '../machine/index.js';
import type { BrokerAddress } from './coordinator.js';
import type { Members } from './members.js';
import type { Votes } from './options.js';
import type { Hello } from './ports.js';

/** The other replicas: which have a link now, and what each said in its Hello. */
export class Peers {
  readonly #self: ReplicaId;
  readonly #ownLevel: number;
  readonly #members: Members;
  readonly #up = new Map<ReplicaId, Hello>();
  readonly #met = new Map<ReplicaId, Hello>();
  #selfLeaves = false;
  #together: Readonly<Record<string, number>> = {};
  #featureLevel: number;
  readonly #raisesItself: boolean;
  /** What the cluster uses, as its log or a peer said. */
  #used = FIRST_FEATURE_LEVEL;

  /** `raisesItself`: levels that have no command are used as soon as every replica knows them. */
  constructor(self: ReplicaId, members: Members, featureLevel = FEATURE_LEVEL, raisesItself = false) {
    this.#raisesItself = raisesItself;
    this.#self = self;
    this.#ownLevel = featureLevel;
    this.#members = members;
    // A cluster of one.
    this.#featureLevel = this.#others.length === 0 ? featureLevel : FIRST_FEATURE_LEVEL;
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
    this.#together = levels;
    this.#weigh();
  }
  /** Of this replica, or of a peer as it says by its link, or said by the last; as of the oldest when it was not met. */
  levelOf(peer: ReplicaId): number {
    if (peer === this.#self) return this.#ownLevel;
    return this.#met.get(peer)?.featureLevel ?? FIRST_FEATURE_LEVEL;
  }
  /**
   * The feature levels that the peers had when all of them had a link, at one moment. What a peer said before it lost its link may
   * be over: it may have gone back to an older version since, as long as not all had the newer one.
   */
  get together(): Readonly<Record<string, number>> {
    return this.#together;
  }
  /** Every peer was met, and its disk is one that the cluster was formed with. */
  formed(): Readonly<Record<string, number>> {
    this.remember(this.#levels());
    return this.#together;
  }
  /** Other replicas count from now on. A new one was let in because it knows as much as all others. */
  membersChanged(): void {
    const level = this.#featureLevel;
    const known = this.#others.map((id) => [id, this.#together[id] ?? Math.max(level, this.levelOf(id))]);
    this.#together = Object.fromEntries(known) as Record<string, number>;
    this.#weigh();
  }
  #levels(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#others.map((id) => [id, this.levelOf(id)]));
  }
  get #others(): readonly ReplicaId[] {
    return this.#members.ids.filter((id) => id !== this.#self);
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
  /** True when it had no link. */
  linkUp(peer: ReplicaId, hello: Hello): boolean {
    const isNew = !this.#up.has(peer);
    this.#up.set(peer, hello);
    this.#met.set(peer, hello);
    this.uses(hello.level ?? FIRST_FEATURE_LEVEL);
    if (this.#others.every((id) => this.#up.has(id))) this.#together = this.#levels();
    this.#weigh();
    return isNew;
  }
  /** False when it had no link. */
  linkDown(peer: ReplicaId): boolean {
    const wasUp = this.#up.delete(peer);
    this.#weigh();
    return wasUp;
  }

  /** For the status: what this version knows, what every replica knows, and what is used. */
  levels(): Pick<Votes, 'featureLevel' | 'featureLevelOfAll' | 'featureLevelUsed'> {
    return {
      featureLevel: this.#ownLevel,
      featureLevelOfAll: this.featureLevel,
      featureLevelUsed: this.levelUsed,
    };
  }

  /** The cluster uses this level: there is no way back. */
  uses(level: number): void {
    this.#used = Math.max(this.#used, level);
  }
  /** What was said so, and what a version that does not know it may not meet. */
  get levelSaid(): number {
    return this.#used;
  }
  /** What is used here. */
  get levelUsed(): number {
    return this.#raisesItself
      ? Math.max(this.#used, Math.min(this.featureLevel, LEVEL_OF_SWITCHES - 1))
      : this.#used;
  }
  /** Those that are not known to know this level now: one that is down may come back as an older version. */
  lacking(level: number): readonly ReplicaId[] {
    return this.#members.ids.filter((id) =>
      id === this.#self ? this.#ownLevel < level : !this.#up.has(id) || this.levelOf(id) < level,
    );
  }
  /** Whether it may be proposed: every replica can apply it. */
  allows(command: Command): boolean {
    if (command.kind === 'level.raise')
      return this.lacking(Math.max(command.level, LEVEL_OF_SWITCHES)).length === 0;
    return levelOf(command) <= this.levelUsed;
  }
  /** The level that is to be used now without anybody's command; undefined when there is none. */
  toRaise(): number | undefined {
    if (!this.#raisesItself || this.featureLevel < LEVEL_OF_SWITCHES || this.featureLevel <= this.#used)
      return undefined;
    return this.lacking(this.featureLevel).length === 0 ? this.featureLevel : undefined;
  }

  /** What every replica of the cluster knows, and has known at one moment. A peer that was never met counts as the oldest. */
  get featureLevel(): number {
    return this.#featureLevel;
  }
  #weigh(): void {
    const levels = this.#others.map((id) => this.#together[id] ?? FIRST_FEATURE_LEVEL);
    const now = this.#others.filter((id) => this.#up.has(id)).map((id) => this.levelOf(id));
    this.#featureLevel = Math.min(this.#ownLevel, ...levels, ...now);
  }

  /** Every replica of the configuration with the address that clients use: as it said itself, else as configured. */
  brokers(): readonly BrokerAddress[] {
    return this.#members.told.map(({ id, kafka, http }) => {
      const hello = this.#up.get(id);
      const { host, port } = hello?.kafka ?? kafka;
      const up = id === this.#self || hello !== undefined;
      return { id, host, port, up, leaving: up && this.isLeaving(id), http: hello?.http ?? http };
    });
  }
  status(): readonly Omit<Votes['peers'][number], 'votes'>[] {
    return this.#others.map((id) => {
      const hello = this.#met.get(id);
      const featureLevel = hello && (hello.featureLevel ?? FIRST_FEATURE_LEVEL);
      return { id, up: this.#up.has(id), featureLevel };
    });
  }
}

import { type Address, addressText, codec, type ReplicaId } from '../kernel/index.js';
import { plannedReplicas, type ReplicaFacts, type ReplicaSet, type ReplicasView } from '../machine/index.js';
import {
  type PaxosConfiguration,
  quorumDescription,
  type QuorumDescription,
  type QuorumSystem,
  quorumSystem,
} from '../paxos/index.js';
import { disksOf, idsOf, isMember, numberOf } from './membership.js';
import type { ReplicaAddress, ReplicaOptions } from './options.js';
import type { DiskIdentity, Hello, KeptMembership, PeerAddresses } from './ports.js';

const membershipOf = (number: number, { replicas, quorums }: ReplicaSet): KeptMembership => ({
  number,
  disks: Object.fromEntries(replicas.map(({ id, incarnation }) => [id, incarnation])),
  replicas,
  quorums: codec.decode(quorumDescription, quorums),
});

/**
 * Which replicas the cluster has, as this one knows: by its settings until the cluster has formed, by its disk at a start, and
 * by shard 0 from then on. The settings say where to find peers at a first start, and count no more after the first change.
 */
export class Members {
  readonly #options: Pick<ReplicaOptions, 'self' | 'replicas' | 'quorums'>;
  #current: readonly ReplicaAddress[];
  #quorums: QuorumSystem;
  #number = 0;
  #seen: ReplicasView | undefined;
  /** Removed a moment ago: they keep their links until they have learned it. */
  #leaving: readonly ReplicaAddress[] = [];
  /**
   * Replicas of the cluster that know of more changes than this one, with the number of the last: links with them stay, whoever
   * decided when what this one learns at the moment was chosen.
   */
  readonly #ahead = new Map<ReplicaId, { readonly number: number; readonly peer: Address | undefined }>();

  constructor(options: Pick<ReplicaOptions, 'self' | 'replicas' | 'quorums'>) {
    this.#options = options;
    this.#current = options.replicas;
    this.#quorums = options.quorums;
  }

  /** Those that decide. */
  get ids(): readonly ReplicaId[] {
    return this.#current.map(({ id }) => id);
  }
  get quorums(): QuorumSystem {
    return this.#quorums;
  }
  get number(): number {
    return this.#number;
  }
  get view(): ReplicasView | undefined {
    return this.#seen;
  }
  /** Shards change to other replicas. */
  get seals(): boolean {
    return this.#seen?.plan?.phase === 'sealing';
  }
  /** Those that clients are told of: also those to come, once a shard may be led by one of them. */
  get told(): readonly ReplicaAddress[] {
    const { plan } = this.#seen ?? { plan: null };
    if (plan === null || (plan.phase === 'preparing' && plan.over === null)) return this.#current;
    const here = new Set(this.ids);
    const toCome = plannedReplicas({ plan: plan.over ?? plan }).filter(
      ({ id }) => !here.has(id) && here.add(id),
    );
    return [...this.#current, ...toCome.map(addressFacts)];
  }

  /** The same, as they are at the time of each question. */
  readonly live: Pick<QuorumSystem, 'isPrepareQuorum' | 'isAcceptQuorum'> = {
    isPrepareQuorum: (ids) => this.#quorums.isPrepareQuorum(ids),
    isAcceptQuorum: (ids) => this.#quorums.isAcceptQuorum(ids),
  };

  /** What the disk remembers. */
  restore({
    membership,
    formedWith,
    founded,
  }: Pick<DiskIdentity, 'membership' | 'formedWith' | 'founded'>): void {
    if (membership !== undefined) this.#enter(membership);
    else if (Object.keys(formedWith).length > 0) this.found(formedWith, founded);
  }

  /**
   * The configuration that the logs begin with. Without a vote in it a replica learns from those that decide now, and its
   * quorums decide nothing.
   */
  first({ formedWith, founded }: DiskIdentity, votes: boolean): PaxosConfiguration {
    const { replicas, quorums } = this.#options;
    if (!votes) return { number: 1, replicas: this.ids, quorums: this.#quorums };
    const known = Object.keys(formedWith).length > 0;
    const ids = known ? idsOf(formedWith) : replicas.map(({ id }) => id);
    return {
      number: 1,
      replicas: ids,
      quorums: founded === undefined ? quorums : quorumSystem(founded, ids),
    };
  }

  /** This replica joins a cluster that has formed without it. */
  joins(hello: Hello): void {
    this.found(disksOf(hello), hello.membership === undefined ? hello.founded : undefined);
  }

  /** Who decides: of replicas that the settings do not have the address is not known yet. */
  found(disks: Readonly<Record<string, string>>, quorums: QuorumDescription | undefined): void {
    const ids = idsOf(disks);
    const known = new Map(this.#options.replicas.map((each) => [each.id, each]));
    if (ids.length === known.size && ids.every((id) => known.has(id)) && quorums === undefined) return;
    this.#current = ids.map((id) => known.get(id) ?? { id, kafka: { host: '', port: 0 } });
    this.#quorums = quorumSystem(quorums ?? { kind: 'majority' }, ids);
  }

  #enter({ number, replicas, quorums }: KeptMembership): void {
    const { self, replicas: set } = this.#options;
    // Where this one is reached its own settings say, today's.
    const own = set.find(({ id }) => id === self);
    this.#number = number;
    for (const [id, ahead] of this.#ahead) if (ahead.number <= number) this.#ahead.delete(id);
    this.#current = replicas.map((each) => (each.id === self && own ? own : addressFacts(each)));
    this.#quorums = quorumSystem(quorums, this.ids);
  }

  /** What shard 0 says now. False: nothing new. */
  adopt(view: ReplicasView): boolean {
    if (view === this.#seen) return false;
    const isNew = this.#seen !== undefined || view.lastNumber > 0;
    this.#seen = view;
    if (view.number <= this.#number) return isNew;
    const before = this.#current;
    this.#enter(membershipOf(view.number, view.current!));
    this.#leaving = before.filter(({ id }) => !this.ids.includes(id));
    return isNew;
  }

  /** Links with those that were removed may end. */
  letGo(): void {
    this.#leaving = [];
  }

  /** For the disk, when it knows less; undefined when it does not. */
  toKeep(identity: DiskIdentity): KeptMembership | undefined {
    const view = this.#seen;
    if (view === undefined || view.current === null || view.number <= numberOf(identity)) return undefined;
    return membershipOf(view.number, view.current);
  }

  /** A replica has a link. */
  met(hello: Hello): void {
    const { replicaId: id, peer } = hello;
    const number = numberOf(hello);
    if (isMember(hello) && number > this.#number) this.#ahead.set(id, { number, peer });
  }

  /**
   * A replica of the cluster called and got no link. Where a plan names this one as new, or it was down while others changed, those
   * that it knows of may all be gone. False: that is not so, or it is no news.
   */
  calledBy(hello: Hello, identity: DiskIdentity): boolean {
    const { replicaId: id, peer } = hello;
    const number = numberOf(hello);
    const isNew = !isMember(identity) && disksOf(hello)[this.#options.self] === undefined;
    if (!isMember(hello) || peer === undefined || (!isNew && number <= numberOf(identity))) return false;
    const known = this.#ahead.get(id);
    if (number < this.#number || (known?.peer !== undefined && addressText(known.peer) === addressText(peer)))
      return false;
    this.#ahead.set(id, { number, peer });
    return true;
  }

  /** A disk that had a vote has none any more. */
  isRemoved({ replicaId: id, incarnation }: Pick<Hello, 'replicaId' | 'incarnation'>): boolean {
    const removed = this.#seen?.removed ?? [];
    return removed.some((each) => each.id === id && each.incarnation === incarnation);
  }

  /** Which links there are to be: also with replicas that are to come. */
  links(): readonly PeerAddresses[] {
    const { self, replicas } = this.#options;
    const planned = this.#seen === undefined ? [] : plannedReplicas(this.#seen);
    const addresses = new Map<ReplicaId, PeerAddresses['addresses']>();
    for (const { id, peer } of [...this.#current, ...this.#leaving, ...planned]) {
      if (id === self) continue;
      const before = addresses.get(id) ?? [];
      const isNew =
        peer !== undefined &&
        peer.port !== 0 &&
        !before.some(({ host, port }) => host === peer.host && port === peer.port);
      addresses.set(id, isNew ? [peer, ...before] : before);
    }
    // Who decides nothing here yet calls whom its settings name.
    if (!this.ids.includes(self))
      for (const { id } of replicas) if (id !== self && !addresses.has(id)) addresses.set(id, []);
    for (const [id, { peer }] of this.#ahead)
      addresses.set(id, [...(addresses.get(id) ?? []), ...(peer === undefined ? [] : [peer])]);
    return [...addresses].map(([id, all]) => ({ id, addresses: all }));
  }

  /** Why a replica gets no link though it has the id of a peer. */
  refuses(hello: Hello): string | undefined {
    return this.isRemoved(hello)
      ? `replica ${hello.replicaId} was removed from the cluster, with the data directory that it has: it is refused for ever. Stop it, and remove that directory`
      : undefined;
  }
}

const addressFacts = ({ id, peer, kafka, http }: ReplicaFacts): ReplicaAddress => ({
  ...{ id, peer, kafka },
  http: http ?? undefined,
});

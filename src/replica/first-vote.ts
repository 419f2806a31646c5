import type { ReplicaId } from '../kernel/index.js';
import { type Standing, standing } from './formation.js';
import type { Members } from './members.js';
import { disksOf, numberOf } from './membership.js';
import type { ReplicaOptions } from './options.js';
import type { OwnDisk } from './own-disk.js';
import type { Peers } from './peers.js';

interface FirstVoteOptions {
  readonly options: ReplicaOptions;
  readonly disk: OwnDisk;
  readonly peers: Peers;
  readonly members: Members;
  /** The shards are not open yet. */
  readonly waits: () => boolean;
  /** Opens them. `votes`: in the configuration that the cluster was formed with. In later ones the log says who votes. */
  readonly open: (votes: boolean) => void;
}

/** What a replica is before its shards are open: it looks at whom it has met until it knows whether it may vote. */
export class FirstVote {
  readonly #around: FirstVoteOptions;
  #standing: Standing = { kind: 'forming', missing: [] };

  constructor(around: FirstVoteOptions) {
    this.#around = around;
  }

  get standing(): Standing {
    return this.#standing;
  }

  /** At the start, and when a peer says something. */
  reconsider(): void {
    const { options, disk, peers, members, waits } = this.#around;
    if (!waits()) return;
    const now = standing(options.self, disk.identity, members.ids, members.quorums, peers.met);
    const before = this.#standing;
    this.#standing = now;
    switch (now.kind) {
      case 'forming':
        if (before.kind === 'forming' && before.missing.join() === now.missing.join()) return;
        options.log.info(`waiting to meet replica ${now.missing.join(', ')}`);
        return;
      case 'learner':
        this.#sayWhyItLearns(now);
        return this.#join(now.reportedBy);
      case 'voter':
        return this.#becomeVoter(now.formedWith);
    }
  }

  #sayWhyItLearns({ reportedBy, expected }: Extract<Standing, { kind: 'learner' }>): void {
    const { log, self } = this.#around.options;
    if (expected === undefined)
      return log.info(
        `replica ${reportedBy} says that the cluster has formed without this one: it learns, and votes when a plan says so`,
      );
    log.error(
      `replica ${reportedBy} remembers another data directory of this replica (${expected}): this one follows the others and does not vote. ` +
        `Stop it and bring the old data directory back; or, where that one is lost, give this one its vote: quorate replicas replace ${self}. ` +
        'Until then the cluster survives one failure fewer.',
    );
  }

  /** As one without a vote; what the cluster was formed with is kept, so that this disk never forms another one. */
  #join(reportedBy: ReplicaId): void {
    const { options, disk, peers, members, open } = this.#around;
    const { identity } = disk;
    const hello = peers.met.get(reportedBy);
    if (hello === undefined) return open(false);
    if (numberOf(hello) >= numberOf(identity) && disksOf(identity)[options.self] === undefined) {
      members.joins(hello);
      options.transport.setPeers(members.links());
    }
    open(false);
    if (Object.keys(identity.formedWith).length > 0) return;
    const { formedWith, founded } = hello;
    const joined = formedWith[options.self] === undefined;
    disk.save(
      { ...identity, formedWith, ...(joined && { joined }), ...(founded && { founded }) },
      () => undefined,
    );
  }

  #becomeVoter(formedWith: Readonly<Record<string, string>>): void {
    const { options, disk, peers, waits, open } = this.#around;
    const { self, quorums, transport } = options;
    // The peers' disks are remembered before this replica promises anything.
    if (disk.remembers(formedWith)) return open(formedWith[self] === disk.identity.incarnation);
    // On its way to the disk: `save` opens the shards.
    if (disk.identity.formedWith === formedWith) return;
    const founded = quorums.description;
    const levels = peers.formed();
    // What a new cluster begins with: nobody has run an older version on these disks.
    const level = peers.featureLevel;
    peers.uses(level);
    disk.save({ ...disk.identity, formedWith, founded, levels, level }, () => {
      transport.helloChanged();
      if (waits()) open(true);
    });
  }
}

import { codec, type ReplicaId, shardId } from '../kernel/index.js';
import type { ReplicaFacts } from '../machine/index.js';
import { quorumDescription, quorumSystem } from '../paxos/index.js';
import type { Coordinator } from './coordinator.js';
import { noteLevel } from './level-switch.js';
import type { Members } from './members.js';
import { disksOf, isMember, quorumBytes, toldBy } from './membership.js';
import type { Planned, ReplicaOptions, ReplicasStatus } from './options.js';
import type { OwnDisk } from './own-disk.js';
import type { Peers } from './peers.js';
import type { Hello } from './ports.js';
import { Reconfigurer } from './reconfigurer.js';
import { planChange, type ReplicaChange } from './replica-plans.js';
import type { ShardHost } from './shard-host.js';

const FACTS = shardId(0);
/** How long a replica that was removed keeps its links, to learn it. Milliseconds. */
const LET_GO_AFTER_MS = 5_000;

interface RosterOptions {
  readonly options: ReplicaOptions;
  readonly door: Pick<Coordinator, 'serves' | 'peek' | 'readAnywhere' | 'submitAnywhere'>;
  readonly members: Members;
  readonly peers: Peers;
  readonly disk: OwnDisk;
}

/** Which replicas the cluster has, at one of them: follows what shard 0 says, and makes and carries out plans to change it. */
export class Roster {
  readonly #around: RosterOptions;
  readonly #reconfigurer: Reconfigurer;

  constructor(around: RosterOptions) {
    this.#around = around;
    const { options, door, peers } = around;
    this.#reconfigurer = new Reconfigurer({ self: options.self, log: options.log, door, peers });
  }

  /** Who votes, by the logs of the shards; nobody knows before they are open. */
  votesHere(hosts: readonly ShardHost[]): boolean {
    return hosts.length > 0 && hosts.every((host) => host.status().votes);
  }

  /** Once a second. */
  tick(hosts: readonly ShardHost[]): void {
    this.note(hosts);
    this.#reconfigurer.look(hosts);
    this.#reconfigurer.mark(hosts);
  }

  /** Shard 0 may say something new. */
  note(hosts: readonly ShardHost[]): void {
    const { members, peers, disk, door } = this.#around;
    noteLevel(hosts, peers, disk);
    if (hosts.length === 0 || !members.adopt(door.peek(FACTS).replicas)) return;
    if (members.toKeep(disk.identity) !== undefined) this.#changed();
    this.linksChanged();
    this.#reconfigurer.look(hosts);
  }

  #changed(): void {
    const { options, members, peers, disk } = this.#around;
    const { self, log, clock } = options;
    const membership = members.toKeep(disk.identity)!;
    const voted = isMember(disk.identity);
    peers.membersChanged();
    disk.membersChanged(membership);
    const { number, disks } = membership;
    log.info(
      `the cluster has replicas ${members.ids.join(', ')} since change ${number} (${members.quorums.name})`,
    );
    if (voted && disks[self] !== disk.identity.incarnation)
      log.warn('this replica has no vote in the cluster any more: stop it, and remove its data directory');
    clock.after(LET_GO_AFTER_MS, () => {
      members.letGo();
      this.linksChanged();
    });
  }

  /** A replica of the cluster got no link. */
  refused(hello: Hello): void {
    const { members, disk } = this.#around;
    disk.refused(hello);
    if (members.calledBy(hello, disk.identity)) this.linksChanged();
  }

  linksChanged(): void {
    const { options, members, disk } = this.#around;
    // Who was removed is refused by all: it does not call them again and again.
    const isOut = members.isRemoved({ replicaId: options.self, incarnation: disk.identity.incarnation });
    options.transport.setPeers(isOut ? [] : members.links());
  }

  /** `peers`: which of them vote, as far as their links say. */
  status(hosts: readonly ShardHost[]): ReplicasStatus {
    const { options, members, peers, disk, door } = this.#around;
    const view = door.peek(FACTS).replicas;
    const up = new Map([...peers.up].map((id) => [id, peers.met.get(id)!.incarnation]));
    const voters = new Set([...up.keys()].filter((id) => hosts.every((host) => votes(host, id))));
    if (this.votesHere(hosts)) voters.add(options.self);
    return {
      ...{ view, voters },
      current: view.current?.replicas ?? this.#founders(),
      quorums: members.quorums.description,
      up: up.set(options.self, disk.identity.incarnation),
      waits: this.#reconfigurer.waits,
    };
  }

  /** Before the first change nothing but the settings and the replicas themselves say where they are. */
  #founders(): readonly ReplicaFacts[] {
    const { options, members, peers, disk } = this.#around;
    const { self, replicas, http } = options;
    const disks = disksOf(disk.identity);
    const nowhere = { host: '', port: 0 };
    return members.ids.map((id) => {
      const set = replicas.find((each) => each.id === id);
      const hello = peers.met.get(id);
      return {
        ...{ id, incarnation: disks[id] ?? '' },
        peer: hello?.peer ?? set?.peer ?? nowhere,
        kafka: hello?.kafka ?? set?.kafka ?? nowhere,
        http: (id === self ? http : hello?.http) ?? set?.http ?? null,
      };
    });
  }

  plan(change: ReplicaChange, hosts: readonly ShardHost[]): Planned {
    const { view, current, quorums, up, voters } = this.status(hosts);
    const { peers } = this.#around;
    const told = new Map([...peers.up].map((id) => [id, toldBy(peers.met.get(id)!)]));
    const planned = planChange(change, {
      ...{ current, quorums, up, told },
      ...{ caughtUp: voters, removed: view.removed },
    });
    if ('problem' in planned) return planned;
    const { target, what, notes } = planned;
    const name = quorumSystem(
      codec.decode(quorumDescription, target.quorums),
      target.replicas.map(({ id }) => id),
    ).name;
    const now = { replicas: current, quorums: quorumBytes(quorums) };
    const number = view.lastNumber + 1;
    return { command: { kind: 'replicas.plan', number, what, current: now, target }, quorums: name, notes };
  }
}

const votes = (host: ShardHost, peer: ReplicaId): boolean =>
  host.status().peers.some(({ id, votes: has }) => id === peer && has);

import { codec, type ReplicaId, shardId } from '../kernel/index.js';
import type { ReplicaFacts, ReplicasView } from '../machine/index.js';
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
  readonly guard: (action: () => void) => void;
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
    const { options, members, peers, disk, door, guard } = this.#around;
    noteLevel(hosts, peers, disk);
    if (hosts.length === 0 || !members.adopt(door.peek(FACTS).replicas)) return;
    if (members.toKeep(disk.identity) !== undefined) this.#changed();
    this.linksChanged();
    // Not here: shard 0 applies at the moment, and may be the one whose leader is to move.
    options.clock.endOfTurn(() => guard(() => this.#reconfigurer.look(hosts)));
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
    const inPlace = change.instead === true || change.back === true;
    const unfit = placeProblem(view.plan, inPlace);
    if (unfit !== undefined) return { problem: unfit };
    const over = inPlace ? view.plan! : undefined;
    const from = over?.replicas ?? current;
    const planned = planChange(change, {
      ...{ current: from, up, told, removed: view.removed },
      quorums: over === undefined ? quorums : codec.decode(quorumDescription, over.quorums),
      caughtUp: over === undefined ? voters : withTheirDisks(from, up),
      ...(over !== undefined && {
        over: {
          number: over.number,
          before: view.current!,
          leaderless: hosts
            .filter(({ leadership }) => leadership.leader === undefined)
            .map(({ shard }) => shard),
        },
      }),
    });
    if ('problem' in planned) return planned;
    const { target, what, notes } = planned;
    const name = quorumSystem(
      codec.decode(quorumDescription, target.quorums),
      target.replicas.map(({ id }) => id),
    ).name;
    const now = { replicas: current, quorums: quorumBytes(quorums) };
    const number = view.lastNumber + 1;
    const command =
      over === undefined
        ? ({ kind: 'replicas.plan', number, what, current: now, target } as const)
        : ({ kind: 'replicas.supersede', over: over.number, number, what, target } as const);
    return { command, from, quorums: name, notes };
  }
}

/** Whether a plan may be made now: at most one is under way, and only one that seals can be followed by one in its place. */
function placeProblem(plan: ReplicasView['plan'], inPlace: boolean): string | undefined {
  if (plan === null) return inPlace ? 'no plan is under way in whose place this could come' : undefined;
  const { number, what, phase } = plan;
  if (phase === 'preparing')
    return `plan ${number} (${what}) is under way: wait until it ends, or call it off (quorate replicas cancel)`;
  return inPlace
    ? undefined
    : `plan ${number} (${what}) is under way and seals: wait until it ends; or, where it cannot, lead on from it with a change in its place (--instead), or back (quorate replicas cancel)`;
}

const withTheirDisks = (
  replicas: readonly ReplicaFacts[],
  up: ReadonlyMap<ReplicaId, string>,
): ReadonlySet<ReplicaId> =>
  new Set(replicas.filter(({ id, incarnation }) => up.get(id) === incarnation).map(({ id }) => id));

const votes = (host: ShardHost, peer: ReplicaId): boolean =>
  host.status().peers.some(({ id, votes: has }) => id === peer && has);

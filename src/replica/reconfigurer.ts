import { type Log, type ReplicaId, type ShardId, shardId, type Slot, slot } from '../kernel/index.js';
import type { ReplicaPlan, ReplicasCommand } from '../machine/index.js';
import {
  type Configuration,
  configurationOf,
  isFullQuorum,
  quorumDescription,
  sameDeciders,
} from '../paxos/index.js';
import { codec } from '../kernel/index.js';
import type { Coordinator } from './coordinator.js';
import { isMember, toldBy } from './membership.js';
import type { Peers } from './peers.js';
import type { ShardHost } from './shard-host.js';

const FACTS = shardId(0);
/** A replica that said nothing for longer has not caught up. Milliseconds. */
const SILENT_MS = 3_000;

type Door = Pick<Coordinator, 'serves' | 'peek' | 'readAnywhere' | 'submitAnywhere'>;

interface ReconfigurerOptions {
  readonly self: ReplicaId;
  readonly door: Door;
  readonly peers: Peers;
  readonly log: Log;
}

/**
 * Carries out the plan that shard 0 holds, at whichever replica leads a shard: reports that the new replicas have caught up there;
 * then moves its leadership to one that stays, seals the log, and reports that it leads in the new configuration. Each step is
 * looked up in the logs again before it is done, so a leader that comes after a crash goes on where the last one was.
 */
export class Reconfigurer {
  readonly #options: ReconfigurerOptions;
  /** Reports and questions that have no answer yet. */
  readonly #underWay = new Set<string>();
  /** How far a shard was at the last look: who has that now is less than one look behind. */
  readonly #marks = new Map<ShardId, Slot>();
  /** Shards without a leader at the last look: now it is no moment between two any more. */
  readonly #leaderless = new Set<ShardId>();
  /** Why a shard does not go on. */
  readonly #waits = new Map<ShardId, string>();
  #told = '';

  constructor(options: ReconfigurerOptions) {
    this.#options = options;
  }

  /** What the shards that are led here wait for; empty when nothing holds them up. */
  get waits(): ReadonlyMap<ShardId, string> {
    return this.#waits;
  }

  /** About once a second, and when shard 0 says something new. */
  look(hosts: readonly ShardHost[]): void {
    this.#waits.clear();
    const { plan } = this.#options.door.peek(FACTS).replicas;
    if (plan === null) return;
    this.#noteDisks(plan);
    for (const host of hosts) {
      if (host.leadership.serving) this.#advance(host, plan);
      else if (this.#leaderless.has(host.shard)) this.#noteLeaderless(host, plan);
    }
    this.#tell(plan);
  }

  /** Once a second: what is chosen by now, the new replicas should have at the next look. */
  mark(hosts: readonly ShardHost[]): void {
    this.#marks.clear();
    this.#leaderless.clear();
    if (this.#options.door.peek(FACTS).replicas.plan === null) return;
    for (const host of hosts) {
      const { leadership, chosenThrough, peers } = host.status();
      // Who hears no leader may lack most of it, and may lead at the next look.
      if (leadership.leader === undefined) this.#leaderless.add(host.shard);
      if (leadership.leader === undefined) continue;
      const known = peers.map((peer) => peer.chosenThrough);
      this.#marks.set(host.shard, slot(Math.max(chosenThrough, ...known)));
    }
  }

  /** The leader of shard 0 has a link to a new replica: from its first word the plan knows its disk. */
  #noteDisks({ number, replicas, phase }: ReplicaPlan): void {
    const { door, peers } = this.#options;
    if (phase !== 'preparing' || !door.serves(FACTS)) return;
    for (const planned of replicas) {
      const { id, incarnation } = planned;
      const hello = peers.isUp(id) ? peers.met.get(id) : undefined;
      if (incarnation !== '' || hello === undefined || isMember(hello)) continue;
      const replica = { ...planned, ...toldBy(hello), incarnation: hello.incarnation };
      this.#report(`met ${id}`, { kind: 'replicas.met', number, replica });
    }
  }

  #advance(host: ShardHost, plan: ReplicaPlan): void {
    const { number, phase, ready, sealed } = plan;
    const { shard } = host;
    if (phase === 'preparing') {
      if (ready.includes(shard)) return;
      const lacking = this.#lacking(host, plan);
      if (lacking === undefined) this.#reportReady(host, plan);
      else this.#waits.set(shard, lacking);
      return;
    }
    if (sealed.includes(shard)) return;
    if (!hasSealed(host, plan)) return this.#seal(host, plan);
    // A leader that was deposed does not know it; a read does.
    host.read(({ kind }) => {
      if (kind === 'ok') this.#report(`sealed ${shard}`, { kind: 'replicas.sealed', number, shard });
    });
  }

  #reportReady(host: ShardHost, { number, over }: ReplicaPlan): void {
    const { shard } = host;
    const configuration = host.status().configuration.number;
    this.#report(
      `ready ${shard}`,
      over === null
        ? { kind: 'replicas.ready', number, shard }
        : { kind: 'replicas.readyIn', number, shard, configuration },
    );
  }

  /** Nobody can say for it how far it is. */
  #noteLeaderless(host: ShardHost, { phase, ready, sealed }: ReplicaPlan): void {
    const { shard, leadership } = host;
    if (leadership.leader !== undefined || (phase === 'preparing' ? ready : sealed).includes(shard)) return;
    const { self, peers } = this.#options;
    const { replicas } = host.status().configuration;
    const away = replicas.filter((id) => id !== self && !peers.isUp(id));
    const missing = away.length === 0 ? '' : `, of which ${away.join(', ')} cannot be reached`;
    this.#waits.set(shard, `no leader: it is decided by replicas ${replicas.join(', ')}${missing}`);
  }

  /** Why the plan may not seal this shard; undefined when it may. */
  #lacking(host: ShardHost, plan: ReplicaPlan): string | undefined {
    const unknown = plan.replicas.filter(({ incarnation }) => incarnation === '').map(({ id }) => id);
    if (unknown.length > 0) return `replica ${unknown.join(', ')} has not been reached`;
    const present = this.#caughtUp(host, plan);
    const { members } = host.status().configuration;
    const before = new Set(
      (members ?? this.#founders()).map(({ id, incarnation }) => `${id} ${incarnation}`),
    );
    const behind = plan.replicas
      .filter(({ id, incarnation }) => !before.has(`${id} ${incarnation}`) && !present.has(id))
      .map(({ id }) => id);
    if (behind.length > 0) return `replica ${behind.join(', ')} has not caught up`;
    return this.#quorumOf(plan, present);
  }

  #founders(): readonly { readonly id: ReplicaId; readonly incarnation: string }[] {
    return this.#options.door.peek(FACTS).replicas.current?.replicas ?? [];
  }

  #quorumOf({ replicas, quorums }: ReplicaPlan, present: ReadonlySet<ReplicaId>): string | undefined {
    const next = configurationOf({
      number: 1,
      members: replicas,
      quorums: codec.decode(quorumDescription, quorums),
    });
    if (isFullQuorum(next.quorums, present)) return undefined;
    const away = next.replicas.filter((id) => !present.has(id));
    return `no quorum of the new replicas has caught up: not replica ${away.join(', ')}`;
  }

  /** The replicas of the plan that have what was chosen at the last look, with the disk that the plan knows. */
  #caughtUp(host: ShardHost, { replicas }: ReplicaPlan): ReadonlySet<ReplicaId> {
    const { self, peers } = this.#options;
    const mark = this.#marks.get(host.shard);
    const { peers: members, learners } = host.status();
    const progress = new Map([...members, ...learners].map((each) => [each.id, each]));
    const present = replicas.filter(({ id, incarnation }) => {
      if (id === self) return true;
      const known = progress.get(id);
      if (known === undefined || mark === undefined || !peers.isUp(id)) return false;
      if (peers.met.get(id)?.incarnation !== incarnation) return false;
      return known.chosenThrough >= mark && (known.heardMsAgo ?? Infinity) < SILENT_MS;
    });
    return new Set(present.map(({ id }) => id));
  }

  #seal(host: ShardHost, plan: ReplicaPlan): void {
    const { self } = this.#options;
    const present = this.#caughtUp(host, plan);
    const lacking = this.#quorumOf(plan, present);
    if (lacking !== undefined) return void this.#waits.set(host.shard, lacking);
    const { configuration } = host.status();
    if (!plan.replicas.some(({ id }) => id === self)) {
      const stays = configuration.replicas.find((id) => present.has(id));
      if (stays !== undefined) {
        this.#waits.set(host.shard, `its leader moves to replica ${stays}`);
        return host.step({ kind: 'transfer', to: stays });
      }
    }
    this.#sealIfCurrent(host, plan, configuration.number);
  }

  /**
   * What this replica knows of shard 0 may be old: it may have led nothing for long, and the shard may have been sealed for this
   * plan, and for later ones. So shard 0 is asked. While it says that this plan seals and that this shard has not said so yet, no
   * later plan has sealed the shard; each that comes does, before it ends (`hasSealed`); and a seal ends the configuration that
   * was looked at before, or none.
   */
  #sealIfCurrent(host: ShardHost, { number }: ReplicaPlan, before: number): void {
    const { shard } = host;
    const end = this.#begin(`seal ${shard} for ${number}`);
    if (end === undefined) return;
    this.#options.door.readAnywhere(FACTS, (outcome) => {
      end();
      if (outcome.kind !== 'ok') return;
      const { plan } = outcome.view.replicas;
      if (plan?.number !== number || plan.phase !== 'sealing' || plan.sealed.includes(shard)) return;
      // The answer may have taken its time.
      const lacking = this.#quorumOf(plan, this.#caughtUp(host, plan));
      if (lacking !== undefined) return void this.#waits.set(shard, lacking);
      if (host.status().configuration.number === before) host.reconfigure(nextOf(before, plan));
    });
  }

  #report(what: string, command: ReplicasCommand): void {
    const end = this.#begin(`${what} for ${command.number}`);
    if (end !== undefined) this.#options.door.submitAnywhere(FACTS, command, end);
  }

  /** Undefined while it is under way. */
  #begin(what: string): (() => void) | undefined {
    if (this.#underWay.has(what)) return undefined;
    this.#underWay.add(what);
    return () => this.#underWay.delete(what);
  }

  #tell({ number, what }: ReplicaPlan): void {
    const texts = [...new Set(this.#waits.values())];
    const text = texts.length === 0 ? '' : `plan ${number} (${what}) waits: ${texts.join('; ')}`;
    if (text !== '' && text !== this.#told) this.#options.log.info(text);
    this.#told = text;
  }
}

/**
 * The shard is decided as the plan says. In the place of another plan that may be so before it has sealed; and a leader may be about to
 * seal for the other one. After a seal of this plan nothing comes of that.
 */
function hasSealed(host: ShardHost, plan: ReplicaPlan): boolean {
  const { configuration } = host.status();
  const before = plan.readyIn.find(({ shard }) => shard === host.shard)?.configuration ?? 0;
  return (
    configuration.number > before &&
    sameDeciders(configuration, configurationOf(nextOf(configuration.number, plan)))
  );
}

const nextOf = (number: number, { replicas, quorums }: ReplicaPlan): Configuration => ({
  number: number + 1,
  members: replicas.map(({ id, incarnation }) => ({ id, incarnation })),
  quorums: codec.decode(quorumDescription, quorums),
});

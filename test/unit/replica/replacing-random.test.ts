import { expect, it } from '@jest/globals';
import { type Random, replicaId, type ReplicaId, seededRandom, shardId } from '../../../src/kernel/index.js';
import type { Replica, ReplicasStatus } from '../../../src/replica/index.js';
import type { ReplicaChange } from '../../../src/replica/replica-plans.js';
import { blankDisk } from '../../../src/storage/index.js';
import { commit, offsetAt } from '../../harness/commits.js';
import { SimulatedCluster } from '../../harness/simulated-world.js';

const FACTS = shardId(0);
const IDS_MAX = 6;
const STEPS = 40;
const SEEDS = Number(process.env['REPLACING_SEEDS'] ?? 12);
const FROM = Number(process.env['REPLACING_FROM'] ?? 1);

/** Replicas that come, go, crash, lose their disks and their links, while plans change them: what was acknowledged stays. */
class Weather {
  readonly cluster: SimulatedCluster;
  readonly #random: Random;
  /** Replicas on an empty disk: their votes may be lost, so only one at a time. */
  #wiped: ReplicaId | undefined;
  #next = 1;
  acknowledged = 0;
  begun = 0;

  constructor(seed: number) {
    this.#random = seededRandom(seed * 7_919);
    const replicas = this.#random.pick([1, 3, 3, 4]);
    this.cluster = new SimulatedCluster({
      seed,
      replicas,
      compactionBytes: this.#random.pick([4_096, 1 << 30]),
    });
  }

  get #up(): readonly Replica[] {
    return [...this.cluster.replicas.values()];
  }
  #view() {
    return this.#up
      .filter((replica) => replica.status().shards.length > 0)
      .map((replica) => replica.replicas())
      .reduce((newest, each) => (rank(each.view) > rank(newest.view) ? each : newest));
  }
  #members(): readonly ReplicaId[] {
    const { view, current } = this.#view();
    return [...new Set([...current, ...(view.plan?.replicas ?? [])].map(({ id }) => id))];
  }

  async step(): Promise<void> {
    const { cluster } = this;
    switch (this.#random.below(8)) {
      case 0:
      case 1:
        this.#plan();
        break;
      case 2: {
        const victim = this.#random.pick(this.#up).self;
        if (this.#up.length > 1) await this.#crash(victim);
        break;
      }
      case 3: {
        const [a, b] = [this.#random.pick(this.#up).self, this.#random.pick(this.#up).self];
        if (a !== b) cluster.network.cut(a, b);
        break;
      }
      case 4:
        cluster.network.heal();
        break;
      case 5:
        await this.#wipe();
        break;
      default:
        await this.#startNew();
    }
    for (let i = 0; i < 4; i++) {
      this.#commit();
      await cluster.time.advance(this.#random.below(300));
    }
  }

  #commit(): void {
    const offset = this.#next;
    for (const replica of this.#up) {
      if (!replica.serves(replica.shardOf(commit(0).group))) continue;
      this.#next++;
      replica.submit(replica.shardOf(commit(0).group), commit(offset), ({ kind }) => {
        if (kind === 'ok') this.acknowledged = Math.max(this.acknowledged, offset);
      });
      return;
    }
  }

  async #crash(id: ReplicaId): Promise<void> {
    this.cluster.kill(id);
    await this.cluster.time.advance(this.#random.below(1_500));
    await this.#start(id);
  }
  #start(id: ReplicaId): Promise<unknown> {
    const list = this.cluster.disks.get(id)!.identity?.agreement?.['replicas'];
    const ids = list === undefined ? [...new Set([...this.#members(), id])] : this.#listOf(list);
    return this.cluster.start(id, { ids });
  }
  #listOf(text: string): readonly ReplicaId[] {
    return text.split(', ').map((id) => replicaId(Number(id)));
  }

  async #startNew(): Promise<void> {
    const id = replicaId(1 + this.#random.below(IDS_MAX));
    if (this.cluster.disks.has(id) && !this.#isRemoved(id)) return;
    this.cluster.kill(id);
    this.cluster.disks.set(id, blankDisk());
    await this.#start(id);
  }

  #isRemoved(id: ReplicaId): boolean {
    const disk = this.cluster.disks.get(id)?.identity?.incarnation;
    return this.#view().view.removed.some((each) => each.id === id && each.incarnation === disk);
  }

  /** A disk is lost, when all others are there. */
  async #wipe(): Promise<void> {
    const { view, voters } = this.#view();
    const members = this.#members();
    if (this.#wiped !== undefined || view.plan !== null || members.length < 3) return;
    if (!members.every((id) => voters.has(id))) return;
    const victim = this.#random.pick(members);
    this.#wiped = victim;
    this.cluster.kill(victim);
    this.cluster.disks.set(victim, blankDisk());
    await this.cluster.time.advance(this.#random.below(500));
    await this.#start(victim);
  }

  #plan(): void {
    const { view, current } = this.#view();
    if (view.plan !== null) return;
    const ids = current.map(({ id }) => id);
    const outside = [...this.cluster.replicas.keys()].filter(
      (id) => !ids.includes(id) && !this.#isRemoved(id),
    );
    const change: ReplicaChange =
      this.#wiped !== undefined
        ? { replace: [this.#wiped] }
        : outside.length > 0 && (ids.length < 3 || this.#random.chance(0.5))
          ? { add: outside.map(placed) }
          : ids.length > 3
            ? { remove: [this.#random.pick(ids)] }
            : {};
    const planned = this.#random.pick(this.#up).planReplicas(change);
    if ('problem' in planned) return;
    this.begun++;
    this.#random.pick(this.#up).submitAnywhere(FACTS, planned.command, () => undefined);
    if (this.#wiped !== undefined) this.#wiped = undefined;
  }

  /** Nothing goes wrong any more: the plan ends, all have everything, and a commit is taken. */
  async settle(): Promise<void> {
    const { cluster } = this;
    cluster.network.heal();
    for (const id of cluster.disks.keys()) if (!cluster.replicas.has(id)) await this.#start(id);
    for (let i = 0; i < 60 && this.#view().view.plan !== null; i++) await cluster.time.advance(500);
    await cluster.time.advance(8_000);
    if (this.#view().view.plan !== null)
      throw new Error([...cluster.logs, ...new Set(cluster.network.refusals)].slice(-40).join('\n'));
    const before = this.acknowledged;
    for (let i = 0; i < 10; i++) {
      this.#commit();
      await cluster.time.advance(200);
    }
    expect(this.acknowledged).toBeGreaterThan(before);
    await cluster.time.advance(2_000);
    const members = this.#view().current.map(({ id }) => cluster.replicas.get(id)!);
    const states = members.map((replica) =>
      replica.status().shards.map(({ hash, configuration }) => `${hash} of ${configuration.replicas.join()}`),
    );
    for (const state of states) expect(state).toEqual(states[0]);
    for (const replica of members)
      expect(Number(offsetAt(replica))).toBeGreaterThanOrEqual(this.acknowledged);
    expect(cluster.fatal).toEqual([]);
  }
}

const rank = ({ number, lastNumber }: ReplicasStatus['view']): number => number * 1_000 + lastNumber;

const placed = (id: ReplicaId) => ({
  id,
  peer: { host: 'simulated', port: 7000 + id },
  kafka: { host: 'simulated', port: 9000 + id },
  http: null,
});

let plans = 0;
it.each(Array.from({ length: SEEDS }, (_, index) => FROM + index))(
  'plans end, and nothing acknowledged is lost, whatever happens meanwhile: seed %i',
  async (seed) => {
    const weather = new Weather(seed);
    await weather.cluster.startAll();
    for (let step = 0; step < STEPS; step++) await weather.step();
    await weather.settle();
    plans += weather.begun;
  },
  120_000,
);
it('plans were begun', () => {
  expect(plans).toBeGreaterThan(SEEDS);
});

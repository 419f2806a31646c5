import { describe, expect, it } from '@jest/globals';
import { BOUND_MS, Fleet, HEARTBEAT_MS, type ModelWorker } from './fleet.js';

const SEEDS = Number(process.env['WORKER_SEEDS'] ?? 5);
const PARTITIONS = 8;
const TROUBLE_MS = 90_000;
const CALM_MS = 60_000;

/** What must hold after every event, over time. */
class Watch {
  readonly problems: string[] = [];
  /** Since when something that may not last has lasted, and of what it was said. */
  readonly #since = new Map<string, { readonly of: string; readonly at: number }>();

  constructor(readonly fleet: Fleet) {}

  look(): void {
    const grants = this.fleet.grants();
    for (let partition = 0; partition < PARTITIONS; partition++) {
      const writers = this.fleet.workers.filter((worker) => worker.writer(partition) !== undefined);
      this.#lasts(`${partition} is worked by two`, writers.length > 1 && '', HEARTBEAT_MS);
      const grant = grants.get(partition);
      const stale = writers.filter(
        (worker) => grant !== undefined && worker.writer(partition)!.token! < grant.token,
      );
      this.#lasts(
        `${partition} is worked and not owned`,
        stale.length > 0 && stale.map(({ name }) => name).join(),
        HEARTBEAT_MS,
      );
      const owner = this.fleet.workers.find(({ machine }) => machine.membership.memberId === grant?.owner);
      const isIdle = this.#isIdle(partition, owner);
      this.#lasts(`${partition} is owned and not worked`, isIdle && `${grant!.token}`, BOUND_MS);
    }
  }

  /** An owner that can be reached, and whose earlier handler has settled, works. */
  #isIdle(partition: number, owner: ModelWorker | undefined): boolean {
    if (owner === undefined || !owner.isLinked || this.fleet.now < owner.asleepUntil) return false;
    if (!this.fleet.isStable || !this.fleet.coordinator.isUp || owner.machine.phase === 'leaving')
      return false;
    return !owner.hasHandler(partition);
  }

  /** `of`: false when it does not hold; it begins anew when it holds of something else. */
  #lasts(what: string, of: string | false, mostMs: number): void {
    if (of === false) return void this.#since.delete(what);
    const known = this.#since.get(what);
    const since = known?.of === of ? known : { of, at: this.fleet.now };
    this.#since.set(what, since);
    const lasted = this.fleet.now - since.at;
    if (lasted > mostMs && !this.problems.some((problem) => problem.includes(what)))
      this.problems.push(`at ${this.fleet.now}: ${what} (${of}) for ${lasted} ms`);
  }
}

function trouble(fleet: Fleet): void {
  const { random } = fleet;
  const next = (): void => {
    if (fleet.now > TROUBLE_MS) return;
    const worker = random.pick(fleet.workers);
    switch (random.below(5)) {
      case 0:
        fleet.cut(worker, random.below(15_000));
        break;
      case 1:
        fleet.crash(random.below(4_000));
        break;
      case 2:
        worker.asleepUntil = fleet.now + random.below(12_000);
        break;
      case 3:
        worker.step({ kind: 'leave', reason: 'trouble', silently: random.chance(0.2) });
        break;
      default:
        worker.step({ kind: 'start' });
    }
    fleet.after(random.below(6_000), next);
  };
  fleet.after(3_000, next);
}

function run(
  seed: number,
  cooperative: boolean,
): { readonly fleet: Fleet; readonly problems: readonly string[] } {
  const fleet = new Fleet(seed, 4, PARTITIONS, cooperative);
  const watch = new Watch(fleet);
  for (const worker of fleet.workers)
    fleet.after(fleet.random.below(2_000), () => worker.step({ kind: 'start' }));
  trouble(fleet);
  const look = (): void => watch.look();
  fleet.runUntil(TROUBLE_MS + 20_000, look);
  for (const worker of fleet.workers) worker.step({ kind: 'start' });
  fleet.runUntil(TROUBLE_MS + 20_000 + CALM_MS, look);
  return { fleet, problems: watch.problems };
}

describe.each([
  ['cooperative', true],
  ['eager', false],
] as const)('workers on the state machine of groups, with outages, %s', (_, cooperative) => {
  it.each(Array.from({ length: SEEDS }, (__, i) => i + 1))(
    'work what they own, and nothing else, for longer than a heartbeat (seed %i)',
    (seed) => {
      const { fleet, problems } = run(seed, cooperative);
      expect(problems).toEqual([]);
      // When all is well again, each partition is worked by its owner under its token.
      const grants = fleet.grants();
      const worked = Array.from({ length: PARTITIONS }, (__, partition) => {
        const token = grants.get(partition)?.token;
        const isWorked = (worker: ModelWorker): boolean =>
          token !== undefined && worker.writer(partition)?.token === token;
        return fleet.workers.filter(isWorked).length;
      });
      expect(worked).toEqual(Array(PARTITIONS).fill(1));
    },
  );
});

import { describe, expect, it } from '@jest/globals';
import { replicaId } from '../../../src/kernel/index.js';
import type { Weather } from './weather.js';
import { ELECTION_TIMEOUT_MS, World } from './world.js';

/** Partial partitions: links are cut, replicas are not. Which ones may then lead follows from who hears whom. */
interface Partition {
  readonly name: string;
  readonly replicas: number;
  /** Whether a message from the one to the other arrives. */
  readonly passes: (from: number, to: number) => boolean;
  /** Who hears, and is heard by, a quorum. */
  readonly mayLead: readonly number[];
  /** The leader of before may go on: then nothing at all happens. */
  readonly undisturbed?: true;
}

const SEEDS = 30;
const PROPOSE_EVERY_MS = 12;
const PREFERRED = replicaId(1);

/** A leader that a quorum can reach must have chosen something new within this long. */
const RECOVERY_MS_MAX = 4 * ELECTION_TIMEOUT_MS;

const both = (a: number, b: number, from: number, to: number): boolean =>
  (from === a && to === b) || (from === b && to === a);

const partitions: readonly Partition[] = [
  {
    name: 'quorum loss: everyone hears only replica 3',
    replicas: 5,
    passes: (from, to) => from === 3 || to === 3,
    mayLead: [3],
  },
  {
    name: 'constrained election: the leader is gone, and the others hear only replica 3',
    replicas: 5,
    passes: (from, to) => from !== 1 && to !== 1 && (from === 3 || to === 3),
    mayLead: [3],
  },
  {
    name: 'a chain 1-2-3-4-5',
    replicas: 5,
    passes: (from, to) => Math.abs(from - to) === 1,
    mayLead: [2, 3, 4],
  },
  {
    name: 'a chain 1-2-3 with the leader at its end',
    replicas: 3,
    passes: (from, to) => !both(1, 3, from, to),
    mayLead: [1],
    undisturbed: true,
  },
  {
    name: 'a chain 2-1-3 with the leader in the middle',
    replicas: 3,
    passes: (from, to) => !both(2, 3, from, to),
    mayLead: [1],
    undisturbed: true,
  },
  {
    name: 'replica 5 hears only replica 4',
    replicas: 5,
    passes: (from, to) => to !== 5 || from === 4,
    mayLead: [1],
    undisturbed: true,
  },
  {
    name: 'replica 3 hears nobody and is heard by all',
    replicas: 3,
    passes: (_from, to) => to !== 3,
    mayLead: [1],
    undisturbed: true,
  },
  {
    name: 'a one-way link: replica 2 does not hear the leader',
    replicas: 3,
    passes: (from, to) => !(from === 1 && to === 2),
    mayLead: [1],
    undisturbed: true,
  },
  {
    name: 'a one-way link: the leader does not hear replica 2',
    replicas: 3,
    passes: (from, to) => !(from === 2 && to === 1),
    mayLead: [1],
    undisturbed: true,
  },
  {
    name: 'the leader is heard by all and hears nobody',
    replicas: 3,
    passes: (_from, to) => to !== 1,
    mayLead: [2, 3],
  },
  {
    name: 'the leader hears all and is heard by nobody',
    replicas: 3,
    passes: (from) => from !== 1,
    mayLead: [2, 3],
  },
  {
    name: 'the leader is gone, and replica 2 is heard by all and hears nobody',
    replicas: 5,
    passes: (from, to) => from !== 1 && to !== 1 && to !== 2,
    mayLead: [3, 4, 5],
  },
  {
    name: 'the leader is gone, and replica 2 hears all and is heard by nobody',
    replicas: 5,
    passes: (from, to) => from !== 1 && to !== 1 && from !== 2,
    mayLead: [3, 4, 5],
  },
];

const steady = (replicas: number): Weather => ({
  replicas,
  drop: 0,
  duplicate: 0,
  delayMsMax: 2,
  longDelay: 0,
  crash: 0,
  cut: 0,
  transfer: 0,
  snapshot: 0,
  slowDisk: 0,
  pause: 0,
  reconfigure: 0,
});

/** A world in which replica 1 leads, and then the partition. */
function partitioned({ replicas, passes }: Pick<Partition, 'replicas' | 'passes'>, seed: number): World {
  const world = new World(seed, undefined, steady(replicas));
  world.advance(300);
  expect(world.serving()).toEqual([PREFERRED]);
  for (const { id: from } of world.nodes)
    for (const { id: to } of world.nodes) if (from !== to && !passes(from, to)) world.cut(from, to);
  return world;
}

/**
 * Runs on while clients propose wherever they are served, in step with the heartbeats: the worst beat for a laggard,
 * which would stay behind for ever if it only caught up by what heartbeats tell it.
 */
function play(world: World, ms: number): void {
  for (const end = world.time + ms; world.time < end; world.advance(PROPOSE_EVERY_MS))
    for (const id of world.serving()) world.proposeAt(id);
}

/** Plays until one of these has chosen something new; how long that took. Fails after `withinMs`. */
function playUntilChosen(world: World, leaders: readonly number[], withinMs: number): number {
  const from = world.time;
  const before = new Map(world.nodes.map(({ id, applied }) => [id, applied]));
  while (
    !world.serving().some((id) => leaders.includes(id) && world.nodes[id - 1]!.applied > before.get(id)! + 2)
  ) {
    if (world.time - from >= withinMs) throw new Error(`nothing chosen within ${withinMs} ms`);
    play(world, PROPOSE_EVERY_MS);
  }
  return world.time - from;
}

/** Elections begun and won since a moment. */
const since = (world: World, at: number) => ({
  campaigns: world.campaigns.filter((each) => each.at >= at).length,
  won: world.terms.filter((each) => each.at >= at).length,
});

/** Plays a scene for every seed; the most elections any of them had. A failure names the seed. */
function forAllSeeds(partition: Partition, scene: (world: World) => ReturnType<typeof since>) {
  const most = { campaigns: 0, won: 0 };
  for (let seed = 1; seed <= SEEDS; seed++) {
    try {
      const { campaigns, won } = scene(partitioned(partition, seed));
      most.campaigns = Math.max(most.campaigns, campaigns);
      most.won = Math.max(most.won, won);
    } catch (error) {
      throw new Error(`seed ${seed}: ${error instanceof Error ? error.message : String(error)}`, {
        cause: error,
      });
    }
  }
  return most;
}

describe.each(partitions)('$name', (partition) => {
  const { name, mayLead, undisturbed } = partition;

  it('goes on under a leader that a quorum can reach, soon and without a storm', () => {
    let slowest = 0;
    const most = forAllSeeds(partition, (world) => {
      const cutAt = world.time;
      slowest = Math.max(slowest, playUntilChosen(world, mayLead, RECOVERY_MS_MAX));
      play(world, 10 * ELECTION_TIMEOUT_MS);
      // From here on it is quiet: one leader, which goes on and on.
      const settledAt = world.time;
      play(world, 10 * ELECTION_TIMEOUT_MS);
      expect(since(world, settledAt)).toEqual({ campaigns: 0, won: 0 });
      expect(world.serving().filter((id) => mayLead.includes(id))).toHaveLength(1);
      playUntilChosen(world, mayLead, 2 * ELECTION_TIMEOUT_MS);
      return since(world, cutAt);
    });
    console.info(`${name}: ${slowest} ms at most, ${most.campaigns} campaigns, ${most.won} won`);
    // A leader may be followed by better ones that it reaches, each of a higher priority than the last.
    const bound = undisturbed ? { campaigns: 0, won: 0 } : { campaigns: 6, won: mayLead.length };
    expect(most.campaigns).toBeLessThanOrEqual(bound.campaigns);
    expect(most.won).toBeLessThanOrEqual(bound.won);
  });

  it('leadership returns to the preferred leader when the links are back, with few elections', () => {
    const most = forAllSeeds(partition, (world) => {
      play(world, 10 * ELECTION_TIMEOUT_MS);
      world.heal();
      const healedAt = world.time;
      play(world, 10 * ELECTION_TIMEOUT_MS);
      const returnedAt = world.time;
      expect(world.serving()).toEqual([PREFERRED]);
      play(world, 10 * ELECTION_TIMEOUT_MS);
      expect(since(world, returnedAt)).toEqual({ campaigns: 0, won: 0 });
      // With nothing new, all come to hold the same.
      world.advance(2 * ELECTION_TIMEOUT_MS);
      expect(new Set(world.nodes.map(({ applied }) => applied)).size).toBe(1);
      return since(world, healedAt);
    });
    console.info(`${name}, healed: ${most.campaigns} campaigns at most, ${most.won} won`);
    expect(most.campaigns).toBeLessThanOrEqual(undisturbed ? 0 : 3);
    expect(most.won).toBeLessThanOrEqual(undisturbed ? 0 : 2);
  });
});

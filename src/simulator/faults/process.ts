import { shardId } from '../../kernel/index.js';
import { belongsToACluster } from '../identity-on-disk.js';
import type { Fault } from '../strike.js';

const DAY_MS = 24 * 3_600_000;

export const PROCESS_FAULTS = {
  crashAtAnEffect: (strike) => strike.any().process?.dieAfter(strike.random.below(30)),
  /** Dies around a change of its directory: a snapshot, the end of old segments, a new one, its identity. */
  crashAtAFile: (strike) => {
    const station = strike.any();
    strike.note('a process was to die at a file', station);
    station.process?.dieAfter(strike.random.below(10), 'directory');
  },
  crashNow: (strike) => strike.world.kill(strike.any(), strike.random.chance(0.5)),
  /** Dies, and is back at once: its peers may not have noticed. */
  blink: (strike) => {
    const station = strike.any();
    strike.note('a process was back at once', station);
    strike.world.kill(station, strike.random.chance(0.5), strike.random.below(5));
  },
  /** Dies in its own start, again and again. */
  crashInItsStart: (strike) => {
    const station = strike.any();
    strike.note('a start did not end', station);
    for (let times = 0; times < 4; times++) {
      strike.after(times * 40, () => {
        strike.world.kill(station, true, 5);
        strike.after(10, () => station.process?.dieAfter(strike.random.below(12)));
      });
    }
  },
  /** The power fails again and again, while the disk is slow: each time a group is under way, and more than one write a group. */
  powerFailsAgain: (strike) => {
    const { random, world } = strike;
    const station = strike.any();
    strike.note('the power failed again and again', station);
    const { trouble } = station.disk;
    trouble.slowMs = random.pick([5, 20, 60]);
    let at = 0;
    for (let times = 0; times < 6; times++) {
      strike.after((at += 30 + random.below(150)), () =>
        world.kill(station, random.chance(0.5), random.below(5)),
      );
    }
    strike.after(at, () => (trouble.slowMs = 0));
  },
  crashAll: (strike) => {
    if (strike.random.chance(0.8)) return;
    strike.note('the power of all failed');
    for (const station of strike.world.placed) strike.world.kill(station, true);
  },
  stopProcess: (strike) => {
    const station = strike.any();
    strike.note('stopped', station);
    station.process?.stopUntil(strike.world.time.now + strike.random.below(1_500));
  },
  /** Stops with something under way, for so long that others have given it up. */
  stopAtAnEffect: (strike) => {
    const { random } = strike;
    const station = strike.any();
    strike.note('stopped at an effect', station);
    station.process?.stopAfter(random.below(30), random.pick([100, 1_500, 7_000]));
  },
  /** Whoever leads stops for longer than the others wait for it. */
  stopLeader: (strike) => {
    const { world, random } = strike;
    const shard = shardId(random.below(world.shards));
    const leader = world.placed.find(
      ({ process }) => process?.replica?.serves(shard) === true && random.chance(0.8),
    );
    if (leader === undefined) return;
    strike.note('a leader stopped', leader);
    leader.process?.stopUntil(world.time.now + world.electionTimeoutMs * (1 + 3 * random.next()));
  },
  /** Somebody closes the lid, mostly of the one that leads. */
  suspend: (strike) => {
    const { world, random } = strike;
    const leader = world.placed.find(({ process }) => process?.replica?.serves(shardId(0)) === true);
    const station = random.chance(0.6) && leader !== undefined ? leader : strike.any();
    strike.note('a machine was suspended', station);
    station.process?.suspend(1_000 + random.below(3_000));
  },
  portTaken: (strike) => {
    const station = strike.any();
    strike.note('a port was taken', station);
    station.portTaken = 1 + strike.random.below(2);
    strike.world.kill(station, true, 20);
  },
  /** Somebody restarts one with another lease or another list of replicas, and corrects it later. */
  changedSettings: (strike) => {
    const station = strike.any();
    const { random, world } = strike;
    const odd = random.chance(0.6)
      ? { leaseMs: 4 * world.electionTimeoutMs }
      : { replicas: random.chance(0.5) ? 1 : world.stations.length + 2 };
    // A disk of no cluster would form another one with that list, or wait for it until it gets another directory.
    if (odd.replicas !== undefined && !belongsToACluster(station.disk)) return;
    station.odd = odd;
    strike.note('the settings of one were changed', station);
    world.kill(station, true, 20);
    strike.later(3_000, () => {
      station.odd = {};
      world.kill(station, true, 20);
    });
  },
  wallClockJumps: (strike) => {
    const station = strike.any();
    strike.note('a wall clock jumped', station);
    station.wallJumped = true;
    station.wallOffset += strike.random.pick([-1, 1]) * strike.random.below(DAY_MS);
  },
} satisfies Record<string, Fault>;

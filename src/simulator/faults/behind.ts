import { groupId, type Random, shardId, topicName } from '../../kernel/index.js';
import { commitOf } from '../clients.js';
import type { Fault, Station, Strike } from '../strike.js';
import { cutBothWays, mendBothWays } from './network.js';

/** How often it is looked whether the others have cut what the lagging one lacks, and how many times. */
const LOOK_EVERY_MS = 100;
const LOOKS_MAX = 30;
/** Between two looks the others get so many commits, each with so much text that some of them are a log that is cut; and no more in all. */
const COMMITS_A_LOOK = 6;
const SHARE_OF_A_LOG = 12;
const COMMITS_MAX = 60;
const TEXT_BYTES_MAX = 4_000;

export const BEHIND_FAULTS = {
  /**
   * One is cut off while the others are given so much that they cut the log that it lacks, and comes back with a slow disk: it must take their
   * snapshots while its own go on, and dies meanwhile, or not.
   */
  fallsBehind: (strike) => {
    const { random } = strike;
    const station = strike.any();
    const others = strike.others(station);
    strike.note('one fell behind', station);
    cutBothWays(strike, station, others);
    const fill = filler(strike.world.compactionBytes, random);
    const looks = (left: number): void => {
      fill(others);
      if (left > 0 && !lacksWhatIsCut(station, others))
        return strike.after(LOOK_EVERY_MS, () => looks(left - 1));
      if (left > 0) strike.note('one lacked what the others had cut', station);
      station.disk.trouble.slowMs = random.pick([0, 2, 10, 50]);
      mendBothWays(strike, station, others);
      for (let deaths = random.below(4); deaths > 0; deaths--)
        strike.later(1_500, () => station.process?.dieAfter(random.below(6), 'directory'));
      strike.after(1_500, () => (station.disk.trouble.slowMs = 0));
    };
    looks(LOOKS_MAX);
  },
  /** Whoever leads stops with something under way, for longer than others wait for an answer, or for an election. */
  leaderStopsMidway: (strike) => {
    const { world, random } = strike;
    const shard = shardId(random.below(world.shards));
    const leader = world.placed.find(({ process }) => process?.replica?.serves(shard) === true);
    if (leader === undefined) return;
    strike.note('a leader stopped midway', leader);
    const ms = random.pick([2 * world.electionTimeoutMs, 4 * world.electionTimeoutMs, 7_000]);
    leader.process?.stopAfter(random.below(8), ms);
  },
  /**
   * All disks but one are slow, and that one is back at once, again and again, each time with much to pass on: answers to an
   * earlier process come late, while others are waited for.
   */
  answersComeLate: (strike) => {
    const { world, random } = strike;
    const station = strike.any();
    strike.note('answers came late', station);
    const others = strike.others(station);
    for (const { disk } of others) disk.trouble.slowMs = random.pick([50, 200]);
    for (let times = 1; times <= 4; times++)
      strike.after(times * (30 + random.below(120)), () => {
        world.kill(station, true, random.below(5));
        passesOn(strike, station, LOOKS_AT_A_START_MAX);
      });
    strike.after(1_000, () => {
      for (const { disk } of others) disk.trouble.slowMs = 0;
    });
  },
} satisfies Record<string, Fault>;

/** Commits for whoever leads the shard of one group. */
function filler(compactionBytes: number, random: Random): (leaders: readonly Station[]) => void {
  const group = groupId(`bulk-${random.below(1_000)}`);
  const commits = { group, topic: topicName('work'), tried: 0, acknowledged: 0 };
  const text = 'x'.repeat(Math.min(TEXT_BYTES_MAX, compactionBytes / SHARE_OF_A_LOG));
  return (leaders) => {
    const leader = leaders.find(({ process }) => process?.replica?.serves(process.replica.shardOf(group)));
    const { process } = leader ?? {};
    process?.inProcess(() => {
      const replica = process.replica!;
      for (let count = 0; count < COMMITS_A_LOOK && commits.tried < COMMITS_MAX; count++) {
        const command = commitOf(commits, ++commits.tried, 1);
        const offsets = command.offsets.map((each) => ({ ...each, metadata: text }));
        replica.submit(replica.shardOf(group), { ...command, offsets }, () => undefined);
      }
    }, group);
  };
}

/** As soon as it runs a replica is asked for commits of many groups, each with another number of offsets. */
function passesOn(strike: Strike, station: Station, looks: number): void {
  const { random } = strike;
  const { process } = station;
  const { replica } = process ?? {};
  if (replica === undefined || process?.alive !== true) {
    if (looks > 0) strike.after(LOOK_AT_A_START_MS, () => passesOn(strike, station, looks - 1));
    return;
  }
  process.inProcess(() => {
    for (let count = 0; count < PASSED_ON; count++) {
      const group = groupId(`passed-on-${random.below(PASSED_ON)}`);
      const commits = { group, topic: topicName('work'), tried: 0, acknowledged: 0 };
      const command = commitOf(commits, 1, 1 + random.below(OFFSETS_MAX));
      replica.submitAnywhere(replica.shardOf(group), command, () => undefined);
    }
  }, 'passed on');
}
const LOOK_AT_A_START_MS = 5;
const LOOKS_AT_A_START_MAX = 20;
const PASSED_ON = 10;
const OFFSETS_MAX = 8;

/** Whether of some shard the others hold only what comes behind the end of its log. */
function lacksWhatIsCut({ process }: Station, others: Strike['world']['stations']): boolean {
  const own = process?.replica?.status().shards ?? [];
  if (own.length === 0) return false;
  const theirs = others.map((other) => other.process?.replica?.status().shards ?? []);
  return own.some(({ shard, lastSlot }) =>
    theirs.some((shards) => shards[shard] !== undefined && shards[shard].firstSlot > lastSlot + 1),
  );
}

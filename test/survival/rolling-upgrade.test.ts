import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { StatusJson, UpgradeJson } from '../../src/admin/index.js';
import { FEATURE_LEVEL } from '../../src/machine/index.js';
import { Cluster } from '../harness/cluster.js';
import { GroupMember } from '../harness/group-member.js';
import { quorate } from '../harness/quorate-command.js';
import { TestBuild } from '../harness/test-build.js';
import { eventually, sleep, within } from '../harness/waiting.js';

/** What a wait ends at that would never end. The machine may be busy with something else. */
const WITHIN_MS = 180_000;
/** Before the ends of partitions, which every shard begins to keep by a command once they are switched on. */
const OLD_LEVEL = 2;
const GROUPS = ['upgraded-0', 'upgraded-1', 'upgraded-2'];
const [TOPIC, PARTITIONS] = ['work', 4];
const IDS = [1, 2, 3];

const older = new TestBuild('0.0.1-older', [
  { file: 'app/assemble.js', from: 'createReplica({', to: `createReplica({ featureLevel: ${OLD_LEVEL},` },
]);
const newer = new TestBuild('9.9.9-newer', [
  { file: 'transport/protocols.js', from: '{ min: 1, max: 1 }', to: '{ min: 1, max: 2 }' },
]);
const programs = new Map(IDS.map((id) => [id, older.program]));

/** A member that commits all the time, and tries again until each commit is answered. */
class CommittingMember {
  readonly member: GroupMember;
  readonly acknowledged = new Map<number, number>();
  commits = 0;
  #works = true;
  #loop: Promise<void> | undefined;
  problem: unknown;

  constructor(bootstrap: Cluster['bootstrap'], group: string) {
    this.member = new GroupMember({
      ...{ bootstrap, group, topic: TOPIC, partitions: PARTITIONS },
      ...{ heartbeatMs: 500, sessionTimeoutMs: WITHIN_MS, rebalanceTimeoutMs: WITHIN_MS },
    });
  }
  begin(): void {
    this.#loop = this.#run().catch((error: unknown) => {
      this.problem = error;
    });
  }
  async #run(): Promise<void> {
    for (let offset = 1; this.#works; offset++) {
      const partition = this.member.partitions[offset % this.member.partitions.length]!;
      const code = await this.member.commit(partition, offset, WITHIN_MS);
      if (code !== 0) throw new Error(`a commit was answered with ${code}`);
      this.acknowledged.set(partition, offset);
      this.commits++;
      await sleep(10);
    }
  }
  async end(): Promise<void> {
    this.#works = false;
    await this.#loop;
    await this.member.abandon();
  }
  /** What no rebalance changes. */
  get standing(): unknown {
    const { memberId, generation, joins, partitions, failure } = this.member;
    return { memberId, generation, joins, partitions, failure, problem: this.problem };
  }
}

let cluster: Cluster;
let members: CommittingMember[] = [];
let standing: unknown;
beforeAll(async () => {
  cluster = await Cluster.start({
    program: (id) => programs.get(id)!,
    // Only a session that ends, or a leave, may cost a member its place: on a busy machine a client is slow to connect again.
    settings: { disconnectGraceMs: 0, sessionTimeoutMsMax: 2 * WITHIN_MS },
  });
  await cluster.createTopic(TOPIC, PARTITIONS);
  members = GROUPS.flatMap((group) => [0, 1].map(() => new CommittingMember(cluster.bootstrap, group)));
  await Promise.all(members.map(({ member }) => member.start()));
  await eventually('all have their share', WITHIN_MS, () =>
    members.every(({ member }) => member.isStable && member.partitions.length === PARTITIONS / 2),
  );
  for (const member of members) member.begin();
  standing = members.map((member) => member.standing);
}, WITHIN_MS);
afterAll(async () => {
  await Promise.all(members.map((member) => member.end()));
  await cluster.close();
  older.remove();
  newer.remove();
}, WITHIN_MS);

const status = async (id: number): Promise<StatusJson> =>
  (await (await fetch(`${cluster.replica(id).http}/status`)).json()) as StatusJson;
/** Undefined while it does not answer: it has just been started. */
const statusIfUp = (id: number): Promise<StatusJson | undefined> => status(id).catch(() => undefined);
const used = async (): Promise<readonly number[]> =>
  Promise.all(IDS.map(async (id) => (await status(id)).featureLevel.used));
const stop = async (id: number): Promise<void> => {
  cluster.replica(id).child.signal('SIGTERM');
  await within(`replica ${id} stops`, WITHIN_MS, cluster.replica(id).child.exited);
};

/** As an operator does it: SIGTERM, the other program, and on when the cluster has its reserve again. */
async function put(id: number, program: string): Promise<void> {
  await stop(id);
  programs.set(id, program);
  cluster.restart(id);
  for (const each of IDS)
    await eventually(`replica ${each} sees all vote after replica ${id} was changed`, WITHIN_MS, async () => {
      const { ready, failuresTolerated } = (await statusIfUp(each)) ?? { ready: false };
      return ready && failuresTolerated === 1;
    });
  await unharmed(`replica ${id} was changed`);
}

/** All commit on, with nothing failed, lost or joined again. */
async function unharmed(when: string): Promise<void> {
  const before = members.map(({ commits }) => commits);
  await eventually(`all commit after ${when}`, WITHIN_MS, () =>
    members.every((member, index) => member.problem !== undefined || member.commits > before[index]! + 2),
  );
  expect(members.map((member) => member.standing)).toEqual(standing);
}

async function offsetsAreKept(): Promise<void> {
  for (const { member, acknowledged } of members) {
    const least = new Map(acknowledged);
    const { topics } = await member.client.ask(
      9,
      5,
      { groupId: member.client.group, topics: [{ name: TOPIC, partitionIndexes: [...least.keys()] }] },
      ({ errorCode }) => errorCode,
      { withinMs: WITHIN_MS },
    );
    for (const { partitionIndex, committedOffset } of topics[0]!.partitions)
      expect(committedOffset).toBeGreaterThanOrEqual(least.get(partitionIndex)!);
  }
}

/** `quorate upgrade`, again while a shard has just no leader. */
async function upgrade(
  ...args: readonly string[]
): Promise<{ readonly code: number | null; readonly text: string }> {
  return eventually('quorate upgrade is answered', WITHIN_MS, async () => {
    const answer = await quorate(cluster, 'upgrade', ...args);
    return /uses feature level|Not possible|cannot be used|knows feature level/.test(answer.text) && answer;
  });
}

it(
  'a cluster of two builds is upgraded, rolled back and upgraded under load; what is new is switched on by a command, from which there is no way back',
  async () => {
    try {
      await put(1, newer.program);
      await put(2, newer.program);
      const { peers } = await status(1);
      expect(peers.map(({ id, protocol, featureLevel }) => [id, protocol, featureLevel])).toEqual([
        [2, 2, FEATURE_LEVEL],
        [3, 1, OLD_LEVEL],
      ]);
      const early = await upgrade('--execute');
      expect(early.text).toMatch(/replica 3 knows feature level 2: upgrade it/);
      expect(early.code).toBe(1);
      await put(1, older.program);
      await put(1, newer.program);
      await put(3, newer.program);
      // All are new: nothing changes by itself, and each may still go back.
      expect(await used()).toEqual([OLD_LEVEL, OLD_LEVEL, OLD_LEVEL]);
      await put(2, older.program);
      await put(2, newer.program);

      const shown = await upgrade();
      expect(shown.text).toMatch(
        new RegExp(`Every replica knows level ${FEATURE_LEVEL}. To use it, add --execute`),
      );
      expect(await used()).toEqual([OLD_LEVEL, OLD_LEVEL, OLD_LEVEL]);
      await eventually('the switch', WITHIN_MS, async () => {
        await quorate(cluster, 'upgrade', '--execute');
        return (await used()).every((level) => level === FEATURE_LEVEL);
      });
      const after = (await (await fetch(`${cluster.replica(2).http}/upgrade`)).json()) as UpgradeJson;
      expect(after).toMatchObject({ used: FEATURE_LEVEL, target: FEATURE_LEVEL, problems: [] });
      await unharmed('the switch');

      await stop(3);
      programs.set(3, older.program);
      cluster.restart(3);
      const { child } = cluster.replica(3);
      expect(await within('the older build ends', WITHIN_MS, child.exited)).not.toBe(0);
      await child.printed;
      expect(child.lines.join('\n')).toMatch(
        new RegExp(
          `uses feature level ${FEATURE_LEVEL}, and this version knows level ${OLD_LEVEL}: upgrade this replica`,
        ),
      );
      programs.set(3, newer.program);
      cluster.restart(3);
      await eventually(
        'replica 3 votes again',
        WITHIN_MS,
        async () => (await status(1)).failuresTolerated === 1,
      );
      await unharmed('the refusal');
      await offsetsAreKept();
    } catch (error) {
      cluster.printLogs();
      throw error;
    }
  },
  5 * WITHIN_MS,
);

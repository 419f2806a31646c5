import { afterAll, afterEach, beforeAll, expect, it, jest } from '@jest/globals';
import { type KafkaBroker, kafkaMissing, startKafka } from '../harness/kafka-broker.js';
import { eventually } from '../harness/waiting.js';
import { Team, TEAM_PARTITIONS, WITHIN_MS } from '../harness/worker-team.js';
import { describeWith } from './clients.js';

jest.setTimeout(300_000);

// Kafka gives no tokens: the epoch of a lease is its fence.
const kafkaBroker = { title: 'Apache Kafka', missing: kafkaMissing };
describeWith([kafkaBroker], 'quorate/worker on Apache Kafka as the coordinator', () => {
  let kafka: KafkaBroker;
  let team: Team;
  beforeAll(async () => {
    kafka = await startKafka();
  });
  afterAll(() => kafka.stop());
  afterEach(() => team.stop());
  const teamOf = (name: string): Team =>
    new Team([kafka.address], `${name}-${process.pid}`, `${name}-${process.pid}`);

  it('shares partitions, gives them up cleanly, and keeps what is not to move', async () => {
    team = teamOf('share');
    const first = await team.start('a');
    await team.works();
    const kept = first.owned();
    expect(kept.map(({ token, epoch }) => token === BigInt(epoch))).toEqual(kept.map(() => true));
    await team.start('b');
    await eventually('both have a half', WITHIN_MS, () => team.owners().join() === '3,3');
    // What stays with the first is the same lease, with the fence that it had.
    for (const lease of first.owned()) expect(kept).toContain(lease);
    await team.works();
    await team.workers[1]!.stop('the test says so');
    await eventually('the first has all', WITHIN_MS, () => team.owners()[0] === TEAM_PARTITIONS);
    await team.works();
    const moved = first.owned().filter((lease) => !kept.includes(lease));
    expect(moved).toHaveLength(TEAM_PARTITIONS / 2);
    for (const { token } of moved) expect(token).toBeGreaterThan(kept[0]!.token);
    expect(team.overlaps).toEqual([]);
    // With the first group Kafka makes the topic of its offsets, and says so until it is there.
    expect(
      team.errors.filter(
        (text) => !/COORDINATOR_(NOT_AVAILABLE|LOAD_IN_PROGRESS)|NOT_COORDINATOR/.test(text),
      ),
    ).toEqual([]);
  });

  it.each(['range', 'roundrobin'] as const)('shares partitions with the assignor %s', async (assignor) => {
    team = teamOf(assignor);
    await team.start('a', { assignor });
    await team.start('b', { assignor });
    await eventually('both have a half', WITHIN_MS, () => team.owners().join() === '3,3');
    await team.works();
    expect(team.overlaps).toEqual([]);
  });

  it('goes on from what was committed, with exact positions', async () => {
    team = teamOf('positions');
    const begun: (bigint | null)[] = [];
    const work = {
      stores: [],
      createTopics: { partitions: 1 },
      onPartition: ({ position }: { readonly position: bigint | null }) => void begun.push(position),
    };
    const first = await team.start('a', work);
    await eventually('it has begun', WITHIN_MS, () => begun.length === 1);
    await first.owned()[0]!.commit(2n ** 60n + 1n);
    await first.stop();
    await team.start('b', work);
    await eventually('the next one has begun', WITHIN_MS, () => begun.length === 2);
    expect(begun).toEqual([null, 2n ** 60n + 1n]);
  });

  it('keeps the partitions of a static member through its restart', async () => {
    team = teamOf('static');
    const [a, b] = [{ instanceId: 'a' }, { instanceId: 'b' }];
    await team.start('a', a);
    const other = await team.start('b', b);
    await eventually('both have a half', WITHIN_MS, () => team.owners().join() === '3,3');
    const kept = other.owned();
    const mine = team.workers[0]!.owned().map(({ partition }) => partition);
    await team.workers[0]!.stop();
    const again = await team.start('a', a);
    await eventually('it has what it had', WITHIN_MS, () => again.owned().length === 3);
    expect(again.owned().map(({ partition }) => partition)).toEqual(mine);
    expect(other.owned()).toEqual(kept);
    await team.works();
    expect(team.overlaps).toEqual([]);
  });

  it('says what to do when it cannot start', async () => {
    team = teamOf('errors');
    const missing = team.start('x', { topics: ['nowhere'], createTopics: undefined } as never);
    await expect(missing).rejects.toMatchObject({ code: 'TOPIC_MISSING' });
    await team.start('y');
    await expect(team.start('x', { assignor: 'range' })).rejects.toMatchObject({
      code: 'INCONSISTENT_GROUP_PROTOCOL',
    });
  });
});

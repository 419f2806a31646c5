import { afterEach, describe, expect, it } from '@jest/globals';
import { generation, groupId, type MemberId, memberId } from '../../../src/kernel/index.js';
import type { Command } from '../../../src/machine/index.js';
import type { Replica } from '../../../src/replica/index.js';
import { join } from '../../harness/joins.js';
import { SimulatedCluster } from '../../harness/simulated-world.js';

const GROUP = groupId('billing');
const SESSION_MS = 30_000;

const joins = (name: string): Command => join(GROUP, name, { sessionTimeoutMs: SESSION_MS });

describe('members that do not come back', () => {
  let cluster: SimulatedCluster;
  afterEach(() => expect(cluster.fatal).toEqual([]));

  const leader = (): Replica =>
    [...cluster.replicas.values()].find((replica) => replica.serves(replica.shardOf(GROUP)))!;
  const described = () => leader().peek(leader().shardOf(GROUP)).groups.describe(GROUP);
  const members = (): MemberId[] => described()!.memberDetails.map((member) => member.memberId);
  const submit = (command: Command): void =>
    leader().submit(leader().shardOf(GROUP), command, () => undefined);
  /** Simulated milliseconds until it is so. */
  const took = async (isSo: () => boolean): Promise<number> => {
    for (let ms = 0; ms < 2 * SESSION_MS; ms += 20) {
      if (isSo()) return ms;
      await cluster.time.advance(20);
    }
    throw new Error('it never was');
  };
  /** Two members in a stable group, and then all replicas die at once and come back. */
  const begin = async (): Promise<void> => {
    cluster = new SimulatedCluster();
    await cluster.startAll();
    for (const name of ['old-1', 'old-2']) submit(joins(name));
    await took(() => leader() !== undefined && described()?.state === 'CompletingRebalance');
    const { leader: first, generation: now } = described()!;
    submit({
      kind: 'group.sync',
      group: GROUP,
      generation: now,
      memberId: first!,
      instanceId: null,
      protocolType: null,
      protocolName: null,
      assignments: [],
    });
    await took(() => described()?.state === 'Stable');
    for (const id of cluster.ids) cluster.kill(id);
    for (const id of cluster.ids) await cluster.start(id);
    await took(() => leader() !== undefined);
  };

  it('hold up those who have come under new ids for 3 s, not for their session', async () => {
    await begin();
    for (const name of ['new-1', 'new-2']) submit(joins(name));
    expect(await took(() => described()?.state === 'CompletingRebalance')).toBeLessThan(3_500);
    expect(members()).toEqual(['new-1', 'new-2']);
  });

  it('who was heard keeps its session', async () => {
    await begin();
    leader().touch(GROUP, memberId('old-1'));
    submit(joins('new-1'));
    await took(() => !members().includes(memberId('old-2')));
    expect(members()).toEqual(['old-1', 'new-1']);
    expect(described()!.generation).toBe(generation(1));
  });

  it('nobody is hurried while nobody waits', async () => {
    await begin();
    await cluster.time.advance(SESSION_MS - 5_000);
    expect(members()).toEqual(['old-1', 'old-2']);
  });
});

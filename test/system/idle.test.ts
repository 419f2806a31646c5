import { describe, expect, it } from '@jest/globals';
import { Cluster } from '../harness/cluster.js';
import { GroupMember } from '../harness/group-member.js';
import { eventually, sleep } from '../harness/waiting.js';

const IDLE_MS = 10_000;
const QUIET_MS = 3_000;

describe('an idle cluster', () => {
  it('writes nothing to disk in ten seconds, though a member sends heartbeats', async () => {
    const cluster = await Cluster.start();
    try {
      const { bootstrap } = cluster;
      const member = new GroupMember({
        bootstrap,
        group: 'idle',
        topic: 'work',
        partitions: 6,
        heartbeatMs: 200,
      });
      await member.start();
      const seen = await eventually('ten seconds without an election', 150_000, async () => {
        await quiet(cluster);
        // Ballots first, and last at the end: an election between the two readings shows in them.
        const ballots = await cluster.ballots();
        const before = written(cluster);
        const { heartbeats } = member;
        await sleep(IDLE_MS);
        const after = written(cluster);
        // Leadership returns to the preferred leaders when the cluster has been steady for a while, and a busy machine
        // brings elections of its own: both are written down.
        if ((await cluster.ballots()).join() !== ballots.join()) return undefined;
        return { before, after, heartbeats: member.heartbeats - heartbeats };
      });
      expect(seen.after).toEqual(seen.before);
      expect(seen.heartbeats).toBeGreaterThan(10);
      expect(member.joins).toBe(1);
      await member.leave();
    } finally {
      await cluster.close();
    }
  }, 240_000);
});

interface Written {
  readonly files: readonly (readonly [string, string])[];
  readonly bytes: readonly number[];
}

const written = (cluster: Cluster): Written => ({
  files: [...cluster.dataFiles()],
  bytes: cluster.replicas.map(({ child }) => child.diskBytesWritten()),
});

/** What was chosen last still goes into the logs of the followers, and into what the replicas remember of each other. */
async function quiet(cluster: Cluster): Promise<void> {
  let last = JSON.stringify(written(cluster));
  await eventually(`nothing was written for ${QUIET_MS} ms`, 60_000, async () => {
    await sleep(QUIET_MS);
    const now = JSON.stringify(written(cluster));
    const same = now === last;
    last = now;
    return same;
  });
}

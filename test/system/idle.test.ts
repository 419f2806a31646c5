import { describe, expect, it } from '@jest/globals';
import { Cluster } from '../harness/cluster.js';
import { GroupMember } from '../harness/group-member.js';
import { sleep } from '../harness/waiting.js';

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
      // What was chosen last still goes into the logs of the followers.
      await sleep(2_000);
      const files = cluster.dataFiles();
      const bytes = cluster.replicas.map(({ child }) => child.diskBytesWritten());
      const { heartbeats } = member;
      await sleep(10_000);
      expect([...cluster.dataFiles()]).toEqual([...files]);
      expect(cluster.replicas.map(({ child }) => child.diskBytesWritten())).toEqual(bytes);
      expect(member.heartbeats - heartbeats).toBeGreaterThan(30);
      expect(member.joins).toBe(1);
      await member.leave();
    } finally {
      await cluster.close();
    }
  }, 60_000);
});

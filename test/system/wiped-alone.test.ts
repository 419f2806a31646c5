import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from '@jest/globals';
import type { Settings } from '../../src/app/settings.js';
import { Cluster } from '../harness/cluster.js';
import { within } from '../harness/waiting.js';

const WITHIN_MS = 60_000;

let cluster: Cluster;
afterEach(() => cluster.close());

describe('a replica that lost its disk, and whose settings now list nobody else', () => {
  // Of two replicas the one with the higher id calls, and the other one asks when no call comes.
  it.each([1, 3])(
    'ends as soon as a replica of its former cluster calls it: replica %i',
    async (id) => {
      cluster = await Cluster.start({ settings: { shards: 1 } });
      const victim = cluster.replica(id);
      await cluster.kill(id);
      rmSync(victim.dataDir, { recursive: true });
      const settings = JSON.parse(readFileSync(victim.configFile, 'utf8')) as Settings;
      const replicas = settings.replicas.filter((replica) => replica.id === id);
      writeFileSync(victim.configFile, JSON.stringify({ ...settings, replicas }));
      cluster.restart(id);
      const code = await within('it ends', WITHIN_MS, victim.child.exited);
      await victim.child.printed;
      expect(code).toBe(70);
      expect(victim.child.lines.join('\n')).toMatch(
        /stopping: replica [123] remembers that cluster \S+ was formed with another data directory of this replica .*, and with replicas 1, 2, 3/,
      );
      // The others serve without it.
      await cluster.createTopic('work', 1);
    },
    2 * WITHIN_MS,
  );
});

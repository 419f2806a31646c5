import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from '@jest/globals';
import type { Settings } from '../../src/app/settings.js';
import { Cluster } from '../harness/cluster.js';
import { within } from '../harness/waiting.js';

const WITHIN_MS = 60_000;

let cluster: Cluster;
afterEach(() => cluster.close());

describe('a replica that lost its disk, and whose settings now list nobody else', () => {
  it(
    'ends as soon as a replica of its former cluster calls it',
    async () => {
      cluster = await Cluster.start({ settings: { shards: 1 } });
      // Of two replicas the one with the higher id calls.
      const victim = cluster.replica(1);
      await cluster.kill(1);
      rmSync(victim.dataDir, { recursive: true });
      const settings = JSON.parse(readFileSync(victim.configFile, 'utf8')) as Settings;
      const replicas = settings.replicas.filter(({ id }) => id === 1);
      writeFileSync(victim.configFile, JSON.stringify({ ...settings, replicas }));
      cluster.restart(1);
      const code = await within('it ends', WITHIN_MS, victim.child.exited);
      await victim.child.printed;
      expect(code).toBe(70);
      expect(victim.child.lines.join('\n')).toMatch(
        /stopping: replica [23] remembers that cluster \S+ was formed with another data directory of this replica .*, and with replicas 1, 2, 3/,
      );
      // The others serve without it.
      await cluster.createTopic('work', 1);
    },
    2 * WITHIN_MS,
  );
});

import { describe, expect, it } from '@jest/globals';
import { checkSettings } from '../../../src/app/configuration.js';
import { settingsAdvice, sharedSettings } from '../../../src/app/fitting-settings.js';
import type { Settings } from '../../../src/app/settings.js';

const GIB = 1_073_741_824;
const settings = (change: Partial<Settings> = {}, count = 3): Settings =>
  checkSettings({
    replicaId: 1,
    clusterId: 'pJ0m3vVZQ5mB1yNwq0c9Tg',
    replicas: Array.from({ length: count }, (_, index) => ({
      id: index + 1,
      host: `10.0.0.${index + 1}`,
      peerPort: 9192,
      kafkaPort: 9092,
    })),
    ...change,
  }).settings;
const disk = (totalBytes: number) => ({ freeBytes: totalBytes, totalBytes });

describe('settings that do not fit together', () => {
  it('are none by default, on a machine of usual size', () => {
    expect(settingsAdvice(settings(), 1_048_576, disk(4 * GIB))).toEqual([]);
    expect(settingsAdvice(settings(), undefined, undefined)).toEqual([]);
  });

  it.each([
    [
      'a shutdown that is shorter than its parts',
      { shutdownTimeoutMs: 5_000 },
      3,
      GIB,
      65_536,
      /^shutdownTimeoutMs is 5000, and .* are 8000/,
    ],
    [
      'an even number of replicas',
      {},
      4,
      GIB,
      65_536,
      /^4 replicas with a majority survive no more failures than 3/,
    ],
    [
      'a retention that is shorter than a sweep',
      { offsetsRetentionMs: 1_000 },
      3,
      GIB,
      65_536,
      /^offsetsRetentionMs is 1000/,
    ],
    [
      'a disk that a compaction fills',
      {},
      3,
      0.2 * GIB,
      65_536,
      /^compactionBytes is 67108864, and the disk has/,
    ],
    ['many fewer files than connections', {}, 3, GIB, 1_024, /^A replica may open 1024 files/],
  ] as const)('%s', (_, change, count, bytes, files, text) => {
    expect(settingsAdvice(settings(change, count), files, disk(bytes))).toEqual([
      expect.stringMatching(text),
    ]);
  });

  it('are compared by name, those of one replica alone left out', () => {
    const shared = sharedSettings(settings());
    expect(shared).toMatchObject({
      sessionTimeoutMsMin: 1_000,
      commitOwnership: 'owner',
    });
    for (const name of ['dataDir', 'replicaId', 'kafkaListenPort', 'logLevel'])
      expect(shared).not.toHaveProperty(name);
  });
});

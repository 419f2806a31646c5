import { expect, it } from '@jest/globals';
import { replicaId } from '../../../src/kernel/index.js';
import { DiskPositions } from '../../../src/replica/disk-positions.js';

const [TWO, THREE] = [replicaId(2), replicaId(3)];

it('what is heard all the time is written every five seconds, and of a disk that is new at once', () => {
  const positions = new DiskPositions();
  const saves: [number, unknown][] = [];
  for (let now = 100; now <= 12_000; now += 100) {
    positions.heard(TWO, now, now);
    if (now >= 1_000) positions.heard(THREE, now, now);
    const saved = positions.toSave(now);
    if (saved !== undefined) saves.push([now, saved]);
  }
  expect(saves).toEqual([
    [100, { 2: 100 }],
    [1_000, { 2: 1_000, 3: 1_000 }],
    [6_000, { 2: 6_000, 3: 6_000 }],
    [11_000, { 2: 11_000, 3: 11_000 }],
  ]);
});

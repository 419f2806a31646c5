import { describe, expect, it } from '@jest/globals';
import { replicaId } from '../../../src/kernel/index.js';
import { drawSetup } from '../../../src/simulator/setup.js';
import { namedBy } from '../../../src/simulator/stations.js';

describe('the settings of a simulated replica', () => {
  it.each([undefined, 1, 2, 5])('name the replica itself when they name %s others', (replicas) => {
    const setup = { ...drawSetup(1), replicas: 3 };
    for (const id of [1, 2, 3, 4].map(replicaId))
      expect(namedBy({ id, odd: replicas === undefined ? {} : { replicas } }, setup)).toContain(id);
  });
});

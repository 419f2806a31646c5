import { describe, expect, it } from '@jest/globals';
import { GroupModel } from './group-model.js';
import { PaxosModel } from './paxos-model.js';
import { GROUP_PLANTS, PAXOS_PLANTS, SEAL_PLANTS } from './plants.js';
import { GROUP_DEPTH_QUICK, GROUP_SIZES, PAXOS_SIZES } from './sizes.js';

/** Far above what any of these takes on a busy machine: the work is bounded, not the time. */
const GIVE_UP_AFTER_MS = 300_000;

describe('small models of Paxos', () => {
  it.each(PAXOS_SIZES.filter(({ quick }) => quick === true))(
    'agree in every state: $name',
    ({ bounds }) => {
      const report = new PaxosModel(bounds).explore();
      expect(report.violation).toBeUndefined();
      expect(report.complete).toBe(true);
      expect(report.states).toBeGreaterThan(1_000);
    },
    GIVE_UP_AFTER_MS,
  );

  it.each(PAXOS_PLANTS)(
    'see a planted bug: $name',
    (plant) => {
      const { bounds } = PAXOS_SIZES.find(({ name }) => name === plant.seenIn)!;
      const found = new PaxosModel(bounds, plant).explore().violation;
      expect(found?.says).toMatch(/two replicas apply different values|after "|at most the promise/);
      expect(found?.trace.length).toBeGreaterThan(5);
    },
    GIVE_UP_AFTER_MS,
  );
});

describe('small models of a configuration that is sealed', () => {
  it.each(SEAL_PLANTS)(
    'see a planted bug: $name',
    (plant) => {
      const { bounds } = PAXOS_SIZES.find(({ name }) => name === plant.seenIn)!;
      const found = new PaxosModel(bounds, plant).explore().violation;
      expect(found?.says).toMatch(plant.says);
      expect(found?.trace.length).toBeGreaterThan(5);
    },
    GIVE_UP_AFTER_MS,
  );
});

describe('small models of a classic group', () => {
  it.each(GROUP_SIZES)(
    'keep their promises in every state: $name',
    ({ bounds }) => {
      const report = new GroupModel({ ...bounds, depth: GROUP_DEPTH_QUICK }).explore();
      expect(report.violation).toBeUndefined();
      expect(report.states).toBeGreaterThan(1_000);
    },
    GIVE_UP_AFTER_MS,
  );

  it.each(GROUP_PLANTS)(
    'see a planted bug: $name',
    (plant) => {
      const { bounds } = GROUP_SIZES.find(({ name }) => name === plant.seenIn)!;
      const found = new GroupModel({ ...bounds, depth: GROUP_DEPTH_QUICK }, plant).explore().violation;
      expect(found?.says).toMatch(/timer|belongs to|token/);
    },
    GIVE_UP_AFTER_MS,
  );
});

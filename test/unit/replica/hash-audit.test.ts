import { describe, expect, it } from '@jest/globals';
import { replicaId, type ReplicaId, slot } from '../../../src/kernel/index.js';
import { majority } from '../../../src/paxos/index.js';
import { HashAudit } from '../../../src/replica/hash-audit.js';

const [one, two, three] = [1, 2, 3].map(replicaId) as [ReplicaId, ReplicaId, ReplicaId];
const quorums = majority([one, two, three]);

function audit(hashOf: (at: number) => number, through: number): HashAudit {
  const result = new HashAudit(one, quorums, slot(0), 0);
  for (let at = 1; at <= through; at++) result.applied(slot(at), hashOf(at));
  return result;
}

describe('HashAudit', () => {
  it('is content while the others agree with it', () => {
    const mine = audit((at) => at, 600);
    expect(mine.heard(two, slot(512), 512)).toBeUndefined();
    expect(mine.heard(three, slot(512), 512)).toBeUndefined();
  });

  it('stops the replica that differs from two that agree, and names the slot', () => {
    const mine = audit((at) => (at < 300 ? at : at + 1), 600);
    expect(mine.heard(two, slot(512), 512)).toBeUndefined();
    expect(mine.heard(three, slot(512), 512)).toContain('slot 512');
  });

  it('leaves alone the one that agrees with another', () => {
    const mine = audit((at) => at, 600);
    expect(mine.heard(two, slot(512), 512)).toBeUndefined();
    expect(mine.heard(three, slot(512), 999)).toBeUndefined();
  });

  it('tells once which peer differs when too few replicas are up to say who is right', () => {
    const mine = audit((at) => at, 600);
    expect(mine.difference()).toBeUndefined();
    expect(mine.heard(two, slot(512), 999)).toBeUndefined();
    expect(mine.difference()).toMatch(/slot 512 has hash 00000200 on replica 1 and 000003e7 on replica 2/);
    expect(mine.difference()).toBeUndefined();
  });

  it('compares later what was heard about slots not applied yet', () => {
    const mine = audit((at) => at, 100);
    expect(mine.heard(two, slot(102), 7)).toBeUndefined();
    expect(mine.heard(three, slot(102), 7)).toBeUndefined();
    mine.applied(slot(101), 101);
    mine.applied(slot(102), 102);
    expect(mine.judge()).toContain('slot 102');
  });

  it('reports every 512th slot, and once where the log rests', () => {
    const mine = new HashAudit(one, quorums, slot(0), 0);
    const told: number[] = [];
    for (let at = 1; at <= 1030; at++) if (mine.applied(slot(at), at)) told.push(at);
    expect(told).toEqual([512, 1024]);
    expect(mine.resting()).toBeUndefined();
    expect(mine.resting()).toEqual({ slot: 1030, hash: 1030 });
    expect(mine.resting()).toBeUndefined();
  });
});

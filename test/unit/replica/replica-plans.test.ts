import { describe, expect, it } from '@jest/globals';
import { replicaId, type ReplicaId } from '../../../src/kernel/index.js';
import { planChange, type PlanFacts, type ReplicaChange } from '../../../src/replica/replica-plans.js';

const ids = (...numbers: number[]): ReplicaId[] => numbers.map((id) => replicaId(id));
const place = (id: ReplicaId) => ({
  id,
  peer: { host: `q${id}`, port: 9192 },
  kafka: { host: `q${id}`, port: 9092 },
  http: null,
});
const disk = (id: ReplicaId): string => `disk-${id}`;

/** Replicas 1, 2, ... of which these are up; all that are up have caught up. */
function facts(count: number, up: readonly ReplicaId[], more: Partial<PlanFacts> = {}): PlanFacts {
  const current = Array.from({ length: count }, (_, index) => replicaId(index + 1));
  return {
    current: current.map((id) => ({ ...place(id), incarnation: disk(id) })),
    quorums: { kind: 'majority' },
    up: new Map(up.map((id) => [id, disk(id)])),
    told: new Map(),
    caughtUp: new Set(up),
    removed: [],
    ...more,
  };
}
const add = (...numbers: number[]): ReplicaChange => ({ add: ids(...numbers).map(place) });

describe('a change of the replicas is refused', () => {
  it.each<[string, ReplicaChange, PlanFacts, string]>([
    ['when nothing is asked for', {}, facts(3, ids(1, 2, 3)), 'nothing is to change'],
    ['when an id is taken', add(2), facts(3, ids(1, 2, 3)), 'replica 2 is in the cluster already'],
    ['when nobody has the id', { remove: ids(7) }, facts(3, ids(1, 2, 3)), 'replica 7 is not in the cluster'],
    [
      'when an id stands twice',
      { ...add(4), remove: ids(4) },
      facts(3, ids(1, 2)),
      'replica 4 is named twice',
    ],
    [
      'when the disk to be replaced is up',
      { replace: ids(3) },
      facts(3, ids(1, 2, 3)),
      'there is nothing to replace',
    ],
    ['when who is to be promoted is not up', { promote: ids(3) }, facts(3, ids(1, 2)), 'replica 3 is not up'],
    ['when no quorum can decide it', { remove: ids(3) }, facts(3, ids(1)), 'the cluster has no quorum now'],
    [
      'when no quorum would be left',
      { remove: ids(1, 2) },
      facts(5, ids(1, 2, 3)),
      'no quorum of the new replicas would be up: replica 4, 5 is down or lags',
    ],
    ['when nobody would be left', { remove: ids(1) }, facts(1, ids(1)), 'no replica would be left'],
    [
      'when a removed disk would come back',
      add(4),
      facts(3, ids(1, 2, 3), {
        up: new Map(ids(1, 2, 3, 4).map((id) => [id, disk(id)])),
        removed: [{ id: replicaId(4), incarnation: disk(replicaId(4)) }],
      }),
      'replica 4 was removed with the data directory that it has',
    ],
    [
      'when the quorum system does not fit',
      add(4),
      facts(3, ids(1, 2, 3), { quorums: { kind: 'grid', rows: [ids(1, 2, 3)] } }),
      'the grid lacks replica 4',
    ],
  ])('%s', (_, change, known, problem) => {
    const planned = planChange(change, known);
    expect('problem' in planned ? planned.problem : planned.what).toContain(problem);
  });
});

describe('a change of the replicas', () => {
  it('may remove one that is down, and add and remove at once', () => {
    const planned = planChange({ ...add(4), remove: ids(3) }, facts(3, ids(1, 2)));
    if ('problem' in planned) throw new Error(planned.problem);
    expect(planned.what).toBe('add 4, remove 3');
    expect(planned.target.replicas.map(({ id, incarnation }) => [id, incarnation])).toEqual([
      [1, 'disk-1'],
      [2, 'disk-2'],
      [4, ''],
    ]);
    expect(planned.notes.join()).toContain('replica 4 has not been reached yet');
  });

  it('gives the vote to the disk that runs under the id now', () => {
    const up = new Map([
      ...ids(1, 2).map((id) => [id, disk(id)] as const),
      [replicaId(3), 'another'] as const,
    ]);
    const planned = planChange({ replace: ids(3) }, facts(3, ids(1, 2), { up }));
    if ('problem' in planned) throw new Error(planned.problem);
    expect(planned.target.replicas.map(({ incarnation }) => incarnation)).toEqual([
      'disk-1',
      'disk-2',
      'another',
    ]);
  });

  it('takes where a replica is reached from the replica itself, and says where that differs', () => {
    const itself = {
      peer: { host: 'elsewhere', port: 1 },
      kafka: { host: 'elsewhere', port: 2 },
      http: null,
    };
    const told = new Map([[replicaId(4), itself]]);
    const up = new Map(ids(1, 2, 3, 4).map((id) => [id, disk(id)]));
    const planned = planChange(add(4), facts(3, ids(1, 2, 3), { up, told }));
    if ('problem' in planned) throw new Error(planned.problem);
    expect(planned.target.replicas.at(-1)).toEqual({ id: 4, ...itself, incarnation: 'disk-4' });
    expect(planned.notes).toEqual([
      'replica 4 says that the others reach it at elsewhere:1: that counts, and not q4:9192',
    ]);
  });
});

import { describe, expect, it } from '@jest/globals';
import type { StatusJson } from '../../../src/admin/index.js';
import { findings, type Heard } from '../../../src/cli/findings.js';
import { bytesText, lagging, leadersText, reserveText } from '../../../src/cli/words.js';

const MIB = 1_048_576;
const SHARDS = [0, 1, 2];

/** As a replica of three has the others; `up`: they have links, and vote. */
const othersOf = (replica: number, up: boolean): StatusJson['peers'] =>
  [1, 2, 3]
    .filter((id) => id !== replica)
    .map((id) => ({ id, up, votes: up, problem: null, protocol: null, featureLevel: 4 }));

/** A replica of three, of which 1 leads shard 0, 2 shard 1 and 3 shard 2. */
function well(replica: number, change: Partial<StatusJson> = {}): StatusJson {
  return {
    replica,
    clusterId: 'pJ0m3vVZQ5mB1yNwq0c9Tg',
    pid: 1,
    version: '1.0.0',
    uptimeMs: 3_600_000,
    featureLevel: { own: 4, all: 4, used: 4 },
    ready: true,
    reasons: [],
    standing: 'voter',
    addresses: { kafka: '127.0.0.1:9092', http: null, peers: '127.0.0.1:9192' },
    peers: othersOf(replica, true),
    quorums: 'majority of 3',
    failuresTolerated: 1,
    failuresToleratedMax: 1,
    needed: [],
    clocks: [],
    http: [],
    logBytes: 0,
    disk: {
      room: 'enough',
      stalls: false,
      waitingBytes: 0,
      freeBytes: 50 * MIB,
      totalBytes: 100 * MIB,
      writesLately: { count: 0, p50Ms: null, p99Ms: null },
    },
    loopStalls: [],
    settings: { sessionTimeoutMsMin: 1_000 },
    settingsAdvice: [],
    shards: SHARDS.map((shard) => ({
      shard,
      role: shard + 1 === replica ? 'leader' : 'follower',
      serving: shard + 1 === replica,
      leader: shard + 1,
      ballot: { round: 1, priority: 0, replica: shard + 1 },
      firstSlot: 1,
      lastSlot: 1,
      chosenThrough: 1,
      appliedThrough: 1,
      queued: 0,
      inFlight: 0,
      hash: 0,
      groups: 0,
      members: 0,
      offsets: 0,
      behind: shard + 1 === replica ? othersOf(replica, true).map(({ id }) => ({ id, slots: 0 })) : [],
    })),
    broker: {},
    ...change,
  };
}
const heard = (...answered: readonly StatusJson[]): Heard => ({ answered, unanswered: [] });
const all = (change: Partial<StatusJson> = {}): StatusJson[] => [1, 2, 3].map((id) => well(id, change));
/** Their grades and their first words. */
const told = (of: Heard): readonly string[] =>
  findings(of).map(({ severity, what }) => `${severity}: ${what}`);
const without = (id: number, problem: string | null = null): Partial<StatusJson>['peers'] =>
  [1, 2, 3].map((each) => ({
    id: each,
    up: each !== id,
    votes: each !== id,
    problem: each === id ? problem : null,
    protocol: each === id ? null : 1,
    featureLevel: 4,
  }));

describe('what doctor finds', () => {
  it('nothing, when nothing is wrong', () => {
    expect(told(heard(...all()))).toEqual([]);
  });

  it('a replica that is down, and the reserve', () => {
    const left = [1, 2].map((id) =>
      well(id, {
        peers: without(3, 'replica 3 cannot be reached at 10.0.0.3:9192: connect ECONNREFUSED')!.filter(
          (peer) => peer.id !== id,
        ),
        failuresTolerated: 0,
        needed: [1, 2],
      }),
    );
    const found = findings({
      answered: left,
      unanswered: [{ id: 3, url: 'http://10.0.0.3:8080', why: 'connect ECONNREFUSED' }],
    });
    expect(found.map(({ severity, replica }) => [severity, replica])).toEqual([
      ['warning', 3],
      ['warning', null],
    ]);
    expect(found[0]!.what).toBe(
      'Replica 3 is down: replica 1 says: replica 3 cannot be reached at 10.0.0.3:9192: connect ECONNREFUSED.',
    );
    expect(found[1]!.what).toContain('the cluster stops when one of replicas 1 and 2 fails');
  });

  it('a quorum that is gone is the first of all', () => {
    const alone = well(1, {
      peers: othersOf(1, false),
      failuresTolerated: -1,
      ready: false,
      reasons: ['no leader is known for shard 0, 1, 2'],
    });
    const [first, ...rest] = told(heard(alone));
    expect(first).toMatch(/^critical: There is no quorum \(majority of 3\): replicas 2 and 3 do not vote\./);
    expect(rest.every((text) => text.startsWith('warning'))).toBe(true);
  });

  it('a minority that is cut off does not speak for the cluster', () => {
    const [one, two] = all();
    const cut = well(3, {
      peers: othersOf(3, false),
      failuresTolerated: -1,
      shards: well(3).shards.map((shard) => ({ ...shard, serving: false, leader: null })),
    });
    const shards = one!.shards.map((shard) => ({ ...shard, serving: true, leader: 1 }));
    const others = [one!, two!].map((status) => ({
      ...status,
      failuresTolerated: 0,
      needed: [1, 2],
      peers: status.peers.map((peer) => (peer.id === 3 ? { ...peer, up: false, votes: false } : peer)),
      shards: status.replica === 1 ? shards : shards.map((shard) => ({ ...shard, serving: false })),
    }));
    expect(told(heard(...others, cut))).toEqual([
      'warning: Replicas 1 and 3 both run and have no link.',
      'warning: Replicas 2 and 3 both run and have no link.',
      expect.stringMatching(/^warning: With all replicas any 1 may fail/),
    ]);
  });

  it('a shard that nobody serves, but not one whose leader could not be asked', () => {
    const idle = all().map((status) => ({
      ...status,
      shards: status.shards.map((shard) =>
        shard.shard === 1 ? { ...shard, serving: false, leader: null } : shard,
      ),
    }));
    expect(told(heard(...idle))).toEqual(['critical: Nobody serves shard 1: their groups stand still.']);
    const [one, two] = all();
    expect(
      told({ answered: [one!, two!], unanswered: [{ id: 3, url: 'http://10.0.0.3:8080', why: 'no route' }] }),
    ).toEqual([expect.stringMatching(/^note: Replica 3 runs, say the others, .*10\.0\.0\.3:8080: no route/)]);
  });

  it('a disk that was lost, is full, nearly full, slow or stalls', () => {
    const disk = (change: Partial<StatusJson['disk']>): readonly string[] =>
      told(heard(well(1), well(2, { disk: { ...well(2).disk, ...change } }), well(3)));
    expect(told(heard(well(1), well(2, { standing: 'learner' }), well(3)))).toEqual([
      expect.stringMatching(/^warning: Replica 2 has lost its data directory.*does not vote/),
    ]);
    expect(disk({ room: 'none', freeBytes: 0 })).toEqual([
      'critical: The disk of replica 2 is full (0 bytes of 100 MiB free): commits to what it leads (1 of 3 shards) are refused.',
    ]);
    expect(disk({ freeBytes: 9 * MIB })).toEqual([
      'warning: The disk of replica 2 is nearly full (9 MiB of 100 MiB free).',
    ]);
    expect(disk({ freeBytes: null, totalBytes: null })).toEqual([]);
    expect(disk({ writesLately: { count: 100, p50Ms: 50, p99Ms: 500 } })).toEqual([
      expect.stringMatching(
        /^warning: The disk of replica 2 is slow: of its last 100 writes half took up to 50 ms/,
      ),
    ]);
    expect(disk({ writesLately: { count: 5, p50Ms: 50, p99Ms: 500 } })).toEqual([]);
    expect(disk({ stalls: true, room: 'none' })).toEqual([
      expect.stringMatching(/^warning: The disk of replica 2 finishes no write/),
    ]);
  });

  it('who lags, of those that are up', () => {
    const lags = all().map((status) => ({
      ...status,
      shards: status.shards.map((shard) => ({
        ...shard,
        behind: shard.behind.map(({ id }) => ({ id, slots: id === 3 ? 5_000 * shard.leader! : 7 })),
      })),
    }));
    expect(told(heard(...lags))).toEqual([
      'warning: A replica lags: replica 3 by 10,000 entries (shards 0-1).',
    ]);
  });

  it('clocks, stalls, settings and versions that differ', () => {
    expect(
      told(
        heard(
          ...all({
            clocks: [
              { id: 2, aheadMs: -3_500 },
              { id: 3, aheadMs: 900 },
            ],
          }),
        ),
      ),
    ).toEqual(['warning: The clock of replica 2 is 3.5 s behind the time of the cluster.']);
    expect(
      told(heard(well(1, { loopStalls: [{ cause: 'gc', count: 900, ms: 360_000 }] }), well(2), well(3))),
    ).toEqual([
      'warning: The event loop of replica 1 stood still for 10 % of the time since its start: gc 900 times, 360 s.',
    ]);
    expect(
      told(heard(well(1), well(2, { settings: { sessionTimeoutMsMin: 5 } }), well(3, { settings: {} }))),
    ).toEqual(['warning: sessionTimeoutMsMin differs: 1000 at replica 1, 5 at replica 2.']);
    expect(told(heard(...all({ settingsAdvice: ['a is more than b.'] })))).toEqual([
      'warning: Settings of replicas 1, 2 and 3 do not fit together: a is more than b.',
    ]);
    expect(
      told(heard(well(1), well(2, { version: '1.1.0', featureLevel: { own: 5, all: 4, used: 4 } }), well(3))),
    ).toEqual([
      expect.stringMatching(
        /^note: An upgrade is under way: .*replica 2 is 1\.1\.0 \(feature level 5\).*uses level 4/,
      ),
    ]);
  });

  it('no stall of a replica that has just started', () => {
    const young = well(1, { uptimeMs: 5_000, loopStalls: [{ cause: 'machine', count: 1, ms: 300 }] });
    expect(told(heard(young, well(2), well(3)))).toEqual([]);
  });

  it('replicas of different clusters, and nothing else then', () => {
    expect(told(heard(well(1), well(2, { clusterId: 'another', standing: 'learner' })))).toEqual([
      expect.stringMatching(/^critical: The URLs lead to different clusters: .*replica 2 is of another/),
    ]);
  });
});

describe('the words', () => {
  it('who leads what', () => {
    expect(leadersText(well(1))).toBe(
      'replica 1 leads shard 0; replica 2 leads shard 1; replica 3 leads shard 2',
    );
    expect(leadersText({ shards: well(1).shards.map((shard) => ({ ...shard, leader: null })) })).toBe(
      'NOBODY leads shards 0-2',
    );
  });
  it('who may fail', () => {
    expect(reserveText({ failuresTolerated: 2, needed: [] })).toBe('any 2 replicas may fail');
    expect(reserveText({ failuresTolerated: 0, needed: [2] })).toBe(
      'none: without replica 2 the cluster stops',
    );
  });
  it('how far behind, and how large', () => {
    expect(lagging([well(1)], 0)).toEqual([]);
    expect([0, 1_023, 1_536, 50 * MIB].map(bytesText)).toEqual([
      '0 bytes',
      '1023 bytes',
      '1.5 KiB',
      '50 MiB',
    ]);
  });
});

it('a change of the replicas is told with what it waits for, whoever says it', () => {
  const change = { number: 7, what: 'add 4', phase: 'preparing', ready: 1, sealed: 0, shards: 3 } as const;
  const waits = ['replica 4 has not caught up'];
  const [one, two, three] = all();
  const said = heard(
    { ...one!, change: { ...change, waits: [] } },
    { ...two!, change: { ...change, waits } },
    three!,
  );
  expect(told(said)).toEqual([
    'note: Change 7 of the replicas (add 4) is preparing: 1 of 3 shards are ready; it waits: replica 4 has not caught up.',
  ]);
});

it('while shards change, who has no vote in some of them has lost nothing', () => {
  const change = {
    ...{ number: 7, what: 'remove 3', phase: 'sealing' as const, since: '2026-11-28T02:39:49.441Z' },
    ...{ ready: 3, sealed: 1, shards: 3, waits: [] },
  } as const;
  const changing = all().map((each) => ({ ...each, change }));
  const goes = { ...changing[2]!, standing: 'learner' };
  expect(told(heard(changing[0]!, changing[1]!, goes))).toEqual([
    'note: Change 7 of the replicas (remove 3) is sealing since 2026-11-28T02:39:49.441Z: 1 of 3 shards have sealed.',
  ]);
});

it('a replica that was removed and still runs says nothing about the cluster', () => {
  const gone = well(4, {
    removed: true,
    ready: false,
    reasons: ['no leader is known for shard 0'],
    failuresTolerated: -1,
  });
  expect(told(heard(...all(), gone))).toEqual([
    'note: Replica 4 was removed from the cluster, and still runs.',
  ]);
  expect(told(heard(gone))).toEqual(['note: Replica 4 was removed from the cluster, and still runs.']);
});

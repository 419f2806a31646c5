import { expect, it } from '@jest/globals';
import { replicaId, type ReplicaId, shardId, slot } from '../../../src/kernel/index.js';
import { NO_CHANGES, type ReplicaPlan, type ReplicasView } from '../../../src/machine/replica-plan.js';
import type { Configuration } from '../../../src/paxos/index.js';
import type { ReadOutcome } from '../../../src/replica/index.js';
import { quorumBytes } from '../../../src/replica/membership.js';
import { Reconfigurer } from '../../../src/replica/reconfigurer.js';
import type { Peers } from '../../../src/replica/peers.js';
import type { ShardHost } from '../../../src/replica/shard-host.js';
import { logTo } from '../../harness/lines.js';

const SHARD = shardId(1);
const at = (id: number) => ({
  ...{ id: replicaId(id), incarnation: `disk ${id}` },
  ...{ peer: { host: 'h', port: id }, kafka: { host: 'h', port: id }, http: null },
});
const planOf = (number: number, ids: readonly number[]): ReplicaPlan => ({
  ...{ number, what: 'test', phase: 'sealing', ready: [0, 1], sealed: [0] },
  ...{ replicas: ids.map(at), quorums: quorumBytes({ kind: 'majority' }) },
  ...{ since: 0, over: null, further: [], readyIn: [] },
});
const viewOf = (plan: ReplicaPlan | null): ReplicasView => ({ ...NO_CHANGES, plan, lastNumber: 9 });

/** Replica 1 in configuration 4 of replicas 1, 2 and 3 of shard 1. `known`: what it knows of shard 0. */
function around(known: ReplicasView) {
  const sealed: Configuration[] = [];
  const ready: number[] = [];
  const leadership: { serving: boolean; leader: ReplicaId | undefined } = {
    serving: true,
    leader: replicaId(1),
  };
  let number = 4;
  const up = { value: true };
  const peer = (id: number) => ({ id: replicaId(id), chosenThrough: slot(10), heardMsAgo: 5 });
  const host = {
    shard: SHARD,
    leadership,
    status: () => ({
      ...{ leadership, chosenThrough: slot(10), peers: [2, 3].map(peer), learners: [4, 5].map(peer) },
      configuration: {
        ...{ number, replicas: [1, 2, 3].map(replicaId), quorums: { name: 'majority of 3' } },
        members: [1, 2, 3].map((id) => ({ id: replicaId(id), incarnation: `disk ${id}` })),
      },
    }),
    reconfigure: (next: Configuration) => sealed.push(next),
    read: () => undefined,
  } as unknown as ShardHost;
  const asked: ((outcome: ReadOutcome) => void)[] = [];
  const reconfigurer = new Reconfigurer({
    self: replicaId(1),
    log: logTo(() => undefined),
    peers: {
      isUp: () => up.value,
      met: new Map([2, 3, 4, 5].map((id) => [replicaId(id), { incarnation: `disk ${id}` }])),
    } as unknown as Peers,
    door: {
      serves: () => false,
      peek: () => ({ replicas: known }) as never,
      readAnywhere: (_shard, done) => asked.push(done),
      submitAnywhere: (_shard, command) => {
        if (command.kind === 'replicas.ready') ready.push(command.shard);
      },
    },
  });
  return { reconfigurer, host, sealed, ready, asked, leadership, up, sealElsewhere: () => number++ };
}

/** It leads, and looks. `now`: what shard 0 is where it is led. */
function looking(known: ReplicasView, now: () => ReplicasView) {
  const { reconfigurer, host, sealed, asked, up, sealElsewhere } = around(known);
  reconfigurer.mark([host]);
  reconfigurer.look([host]);
  const answer = (): void =>
    asked.splice(0).forEach((done) => done({ kind: 'ok', view: { replicas: now() } as never }));
  return { sealed, asked, answer, up, sealElsewhere };
}

function preparing() {
  const { reconfigurer, host, ready, leadership } = around(
    viewOf({ ...FIVE, phase: 'preparing', ready: [0] }),
  );
  return {
    ready,
    leads: (serving: boolean) => {
      leadership.serving = serving;
      leadership.leader = serving ? replicaId(1) : undefined;
    },
    look: () => reconfigurer.look([host]),
    mark: () => reconfigurer.mark([host]),
  };
}

const [FIVE, THREE] = [planOf(6, [1, 2, 3, 4, 5]), planOf(7, [1, 2, 3])];

it('a leader seals its shard once shard 0 confirms the plan, and asks once', () => {
  const { sealed, asked, answer } = looking(viewOf(FIVE), () => viewOf(FIVE));
  expect(sealed).toEqual([]);
  expect(asked).toHaveLength(1);
  answer();
  expect(sealed.map(({ number, members }) => [number, members.length])).toEqual([[5, 5]]);
});

it.each([
  ['has ended', viewOf(null)],
  ['was followed by another', viewOf(THREE)],
  ['knows that the shard has sealed', viewOf({ ...FIVE, sealed: [0, 1] })],
  ['does not seal', viewOf({ ...FIVE, phase: 'preparing' })],
])('a leader whose knowledge of shard 0 is old does not seal for a plan that %s', (_, now) => {
  const { sealed, answer } = looking(viewOf(FIVE), () => now);
  answer();
  expect(sealed).toEqual([]);
});

it('a leader does not seal a later configuration than the one that it looked at', () => {
  const { sealed, answer, sealElsewhere } = looking(viewOf(FIVE), () => viewOf(FIVE));
  sealElsewhere();
  answer();
  expect(sealed).toEqual([]);
});

it('what a replica knew while it heard no leader says nothing about who has caught up', () => {
  const { ready, leads, look, mark } = preparing();
  leads(false);
  mark();
  leads(true);
  look();
  expect(ready).toEqual([]);
  mark();
  look();
  expect(ready).toEqual([SHARD]);
});

it('a leader whose followers are gone when shard 0 answers does not seal', () => {
  const { sealed, answer, up } = looking(viewOf(FIVE), () => viewOf(FIVE));
  up.value = false;
  answer();
  expect(sealed).toEqual([]);
});

it.each([
  ['seals once more a shard that is decided as it says', 4, [[5, 3]]],
  ['does not seal again what it has sealed', 3, []],
])(
  'a plan in the place of another %s: a seal for the other one may be on its way',
  (_, configuration, seals) => {
    const plan = { ...THREE, readyIn: [{ shard: SHARD, configuration }] };
    const { sealed, answer } = looking(viewOf(plan), () => viewOf(plan));
    answer();
    expect(sealed.map(({ number, members }) => [number, members.length])).toEqual(seals);
  },
);

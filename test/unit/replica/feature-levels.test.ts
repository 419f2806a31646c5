import { describe, expect, it } from '@jest/globals';
import { replicaId } from '../../../src/kernel/index.js';
import { majority } from '../../../src/paxos/index.js';
import { Members } from '../../../src/replica/members.js';
import type { ReplicaAddress } from '../../../src/replica/options.js';
import { Peers } from '../../../src/replica/peers.js';
import type { Hello } from '../../../src/replica/index.js';

const [ONE, TWO, THREE] = [replicaId(1), replicaId(2), replicaId(3)];
const [OLD, NEW] = [3, 4];

const hello = (id: number, featureLevel: number): Hello => ({
  clusterId: 'cluster',
  replicaId: replicaId(id),
  shards: 1,
  incarnation: `disk-of-${id}`,
  formedWith: {},
  featureLevel,
  kafka: { host: 'localhost', port: 9092 },
  http: undefined,
});

const membersOf = (replicas: readonly ReplicaAddress[]): Members =>
  new Members({ self: ONE, replicas, quorums: majority(replicas.map(({ id }) => id)) });

/** As replica 1 of three, which runs the new version. */
function peersOfOne(): Peers {
  const address = { kafka: { host: 'localhost', port: 9092 } };
  const replicas = [ONE, TWO, THREE].map((id) => ({ id, ...address }));
  return new Peers(ONE, membersOf(replicas), NEW);
}

describe('what all replicas can apply', () => {
  it('is what all had at one moment, and not what each had at some time', () => {
    const peers = peersOfOne();
    peers.linkUp(TWO, hello(2, NEW));
    peers.linkUp(THREE, hello(3, OLD));
    expect(peers.featureLevel).toBe(OLD);
    // Replica 2 goes back to the old version, which this one does not hear. Then the last one is upgraded.
    peers.linkDown(TWO);
    peers.linkDown(THREE);
    peers.linkUp(THREE, hello(3, NEW));
    expect(peers.featureLevel).toBe(OLD);
    peers.linkUp(TWO, hello(2, NEW));
    expect(peers.featureLevel).toBe(NEW);
  });

  it('stays when one goes down, and goes back with one that comes back older', () => {
    const peers = peersOfOne();
    peers.linkUp(TWO, hello(2, NEW));
    peers.linkUp(THREE, hello(3, NEW));
    peers.linkDown(TWO);
    expect(peers.featureLevel).toBe(NEW);
    peers.linkDown(THREE);
    peers.linkUp(TWO, hello(2, OLD));
    expect(peers.featureLevel).toBe(OLD);
  });

  it('is known after a restart, and of a cluster that has just formed', () => {
    const before = peersOfOne();
    before.linkUp(TWO, hello(2, NEW));
    before.linkDown(TWO);
    before.linkUp(THREE, hello(3, NEW));
    expect(before.featureLevel).toBe(1);
    before.formed();
    expect(before.featureLevel).toBe(NEW);
    const after = peersOfOne();
    expect(after.featureLevel).toBe(1);
    after.remember(before.together);
    expect(after.featureLevel).toBe(NEW);
  });

  it('is its own level where it is alone', () => {
    expect(
      new Peers(ONE, membersOf([{ id: ONE, kafka: { host: 'localhost', port: 9092 } }]), NEW).featureLevel,
    ).toBe(NEW);
  });
});

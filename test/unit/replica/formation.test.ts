import { describe, expect, it } from '@jest/globals';
import { replicaId, type ReplicaId } from '../../../src/kernel/index.js';
import { standing } from '../../../src/replica/formation.js';
import { majority } from '../../../src/paxos/index.js';
import type { DiskIdentity, OpenedStorage } from '../../../src/replica/index.js';
import { openMemoryStorage } from '../../../src/storage/index.js';
import { SimulatedCluster } from '../../harness/simulated-world.js';

const [one, two, three] = [1, 2, 3].map(replicaId) as [ReplicaId, ReplicaId, ReplicaId];
const all = [one, two, three];
const identity = (
  self: ReplicaId,
  incarnation: string,
  formedWith: Record<string, string> = {},
): DiskIdentity => ({
  clusterId: 'c',
  replicaId: self,
  shards: 1,
  incarnation,
  formedWith,
});
const hello = (incarnation: string, formedWith: Record<string, string> = {}) => ({ incarnation, formedWith });
const formed = { 1: 'a', 2: 'b', 3: 'c' };

describe('standing', () => {
  it('waits until every replica was met', () => {
    expect(standing(one, identity(one, 'a'), all, majority(all), new Map([[two, hello('b')]]))).toEqual({
      kind: 'forming',
      missing: [three],
    });
  });

  it('does not form with a replica that begins with something else', () => {
    const restored = { ...identity(one, 'a'), restoredFrom: 'backup' };
    const met = (third?: string) =>
      new Map([
        [two, { ...hello('b'), restoredFrom: 'backup' }],
        [three, { ...hello('c'), ...(third !== undefined && { restoredFrom: third }) }],
      ]);
    for (const other of [undefined, 'another backup'])
      expect(standing(one, restored, all, majority(all), met(other))).toEqual({
        kind: 'forming',
        missing: [three],
      });
    expect(standing(one, restored, all, majority(all), met('backup'))).toEqual({
      kind: 'voter',
      formedWith: formed,
    });
    // An empty disk among restored ones.
    expect(standing(one, identity(one, 'a'), all, majority(all), met()).kind).toBe('forming');
  });

  it('forms once all have met, and remembers every disk', () => {
    const met = new Map([
      [two, hello('b')],
      [three, hello('c')],
    ]);
    expect(standing(one, identity(one, 'a'), all, majority(all), met)).toEqual({
      kind: 'voter',
      formedWith: formed,
    });
  });

  it('joins peers that formed with this very disk a moment ago', () => {
    const met = new Map([
      [two, hello('b', formed)],
      [three, hello('c')],
    ]);
    expect(standing(one, identity(one, 'a'), all, majority(all), met).kind).toBe('voter');
  });

  it('votes after a restart when it has met a quorum, which may know that its disk is an older copy', () => {
    const own = identity(one, 'a', formed);
    expect(standing(one, own, all, majority(all), new Map())).toEqual({
      kind: 'forming',
      missing: [two, three],
    });
    const met = new Map([[three, hello('c', formed)]]);
    expect(standing(one, own, all, majority(all), met)).toEqual({ kind: 'voter', formedWith: formed });
  });

  it('does not vote with an empty disk under an old name, whoever it meets first', () => {
    const wiped = identity(one, 'z');
    expect(standing(one, wiped, all, majority(all), new Map())).toMatchObject({ kind: 'forming' });
    expect(standing(one, wiped, all, majority(all), new Map([[three, hello('c', formed)]]))).toEqual({
      kind: 'learner',
      reportedBy: three,
      expected: 'a',
    });
  });

  it('does not vote with a disk that was renamed because it is corrupt', () => {
    expect(standing(one, identity(one, 'z', formed), all, majority(all), new Map())).toMatchObject({
      kind: 'learner',
      reportedBy: one,
    });
  });

  it('is a cluster of its own when it is alone in the configuration', () => {
    expect(standing(one, identity(one, 'a'), [one], majority([one]), new Map())).toEqual({
      kind: 'voter',
      formedWith: { 1: 'a' },
    });
  });
});

describe('a cluster that forms', () => {
  it('is told a vote only when the disk of the voter says with which disks it has formed', async () => {
    const cluster = new SimulatedCluster();
    const opened = await openMemoryStorage({
      disk: cluster.disks.get(one)!,
      later: (sync) => void cluster.time.after(0.5, sync),
    });
    const writes: (() => void)[] = [];
    const storage: OpenedStorage['storage'] = {
      append: (...args) => opened.storage.append(...args),
      writeSnapshot: (...args) => opened.storage.writeSnapshot(...args),
      readSnapshot: (shard) => opened.storage.readSnapshot(shard),
      openSnapshot: (shard) => opened.storage.openSnapshot(shard),
      rebase: (...args) => opened.storage.rebase(...args),
      room: () => opened.storage.room(),
      logBytes: () => opened.storage.logBytes(),
      position: () => opened.storage.position(),
      close: () => opened.storage.close(),
      onFailure: (handler) => opened.storage.onFailure(handler),
      saveIdentity: (identity) =>
        identity.formedWith[one] === undefined
          ? opened.storage.saveIdentity(identity)
          : new Promise((resolve) => void writes.push(resolve)),
    };
    const slow = await cluster.start(one, { storage: { ...opened, storage } });
    for (const id of [two, three]) await cluster.start(id);
    // The others form at once, and tell it so.
    await cluster.time.advance(2_000);
    expect(slow.status()).toMatchObject({ standing: 'voter', shards: [] });
    for (const write of writes.splice(0)) write();
    await cluster.time.advance(2_000);
    expect(slow.status().shards).toHaveLength(2);
  });
});

import { monotonicMs, replicaId, type ShardId } from '../../src/kernel/index.js';
import { createMachine, type Machine, restoreMachine } from '../../src/machine/index.js';
import { createPaxos, decodeRecord, majority } from '../../src/paxos/index.js';
import type { LogRecord, OpenedStorage } from '../../src/replica/index.js';
import { PAXOS_SETTINGS } from '../harness/simulated-world.js';
import type { Manifest } from './decoded.js';

/** What a restart makes of a shard before it hears from its peers: the snapshot, then what the log says is chosen. */
export async function recoveredMachine(
  { storage }: OpenedStorage,
  all: readonly LogRecord[],
  shard: ShardId,
  { replicaId: self, replicas, shards }: Omit<Manifest, 'shards'> & { readonly shards: readonly unknown[] },
): Promise<Machine> {
  const options = { shard, shards: shards.length };
  const snapshot = await storage.readSnapshot(shard);
  const chunks: Uint8Array[] = [];
  if (snapshot !== undefined) for await (const chunk of snapshot.chunks) chunks.push(chunk);
  const machine =
    snapshot === undefined ? createMachine(options) : restoreMachine(options, Buffer.concat(chunks));
  const records = all
    .filter((record) => record.shard === shard)
    .map(({ type, payload }) => decodeRecord(type, payload));
  const ids = replicas.map(replicaId);
  const now = monotonicMs(0);
  const paxos = createPaxos(
    {
      ...PAXOS_SETTINGS,
      self,
      configuration: { number: 1, replicas: ids, quorums: majority(ids) },
      priority: 1,
      votes: true,
      seed: 1,
    },
    { records, snapshotThrough: machine.appliedThrough },
    now,
  );
  for (const effect of paxos.step({ kind: 'tick' }, now)) {
    if (effect.kind !== 'chosen') continue;
    let slot = effect.firstSlot;
    for (const entry of effect.entries) {
      machine.apply(slot, entry.kind === 'command' ? entry.payload : null);
      slot = (slot + 1) as typeof slot;
    }
  }
  return machine;
}

/** A quorum system in bytes. Tags and order are on disk: append only. */

import { codec, type Codec, type ReplicaId } from '../kernel/index.js';
import type { QuorumDescription } from './quorum.js';

const { array, branded, map, struct, uint, union } = codec;

const replica = branded<ReplicaId, number>()(uint);
const byReplica = map(uint, uint);

/** Integer keys of an object are in ascending order: equal weights are equal bytes. */
const weights: Codec<Readonly<Record<number, number>>> = {
  write: (w, v) => byReplica.write(w, new Map(Object.entries(v).map(([id, weight]) => [Number(id), weight]))),
  read: (r) => Object.fromEntries(byReplica.read(r)),
};

export const quorumDescription: Codec<QuorumDescription> = union<QuorumDescription>({
  majority: { tag: 1, codec: struct({}) },
  flexible: { tag: 2, codec: struct({ prepare: uint, accept: uint }) },
  grid: { tag: 3, codec: struct({ rows: array(array(replica)) }) },
  weighted: { tag: 4, codec: struct({ weights, prepare: uint, accept: uint }) },
});

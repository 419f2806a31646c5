import { ByteReader, ByteWriter, MalformedBytesError, type ReplicaId, replicaId } from '../kernel/index.js';
import type { Hello } from '../replica/index.js';

/**
 * The first frame on a link, from both ends: who I am and whom I want. After it, further hello frames only say what has
 * changed. The fields before the JSON never change their place, so that any two versions can refuse each other clearly.
 */
export const PROTOCOL_VERSION = 1;
const MAGIC = 0x514f_5245;

export interface Introduction {
  readonly version: number;
  readonly self: ReplicaId;
  /** Whom the sender believes to talk to; -1 when it was called and does not know yet. */
  readonly target: number;
  readonly hello: Hello;
}

export function encodeIntroduction(target: number, hello: Hello): Buffer {
  const w = new ByteWriter(512);
  w.u32(MAGIC);
  w.u32(PROTOCOL_VERSION);
  w.i32(hello.replicaId);
  w.i32(target);
  w.string(JSON.stringify(hello));
  return w.view();
}

/** Throws MalformedBytesError when it is not one of ours. */
export function decodeIntroduction(bytes: Uint8Array): Introduction {
  const r = new ByteReader(bytes);
  if (r.u32() !== MAGIC) throw new MalformedBytesError('this is not a Quorate replica');
  const version = r.u32();
  const self = replicaId(r.i32());
  const target = r.i32();
  try {
    return { version, self, target, hello: JSON.parse(r.string()) as Hello };
  } catch (error) {
    throw new MalformedBytesError(`an introduction that cannot be read: ${(error as Error).message}`);
  }
}

/** Why two ends must not talk; undefined when they may. Both ends come to the same answer. */
export function refusal(
  own: Hello,
  theirs: Introduction,
  expected: ReplicaId | undefined,
): string | undefined {
  const { hello } = theirs;
  if (theirs.version !== PROTOCOL_VERSION) {
    return `it speaks version ${theirs.version} of the replicas' protocol, this one ${PROTOCOL_VERSION}: upgrade the older of the two`;
  }
  if (hello.clusterId !== own.clusterId) {
    return `it belongs to cluster ${hello.clusterId}, this one to ${own.clusterId}: correct the peers' addresses or the cluster id`;
  }
  if (expected !== undefined && theirs.self !== expected) {
    return `it is replica ${theirs.self}, and the configuration says ${expected} at that address: correct the address`;
  }
  if (theirs.target !== -1 && theirs.target !== own.replicaId) {
    return `it looks for replica ${theirs.target}, and this is ${own.replicaId}: correct the address in its configuration`;
  }
  if (theirs.self === own.replicaId)
    return `it has this replica's own id ${own.replicaId}: give each replica an id of its own`;
  if (hello.shards !== own.shards) {
    return `it has ${hello.shards} shards, this one ${own.shards}: the number is fixed when a cluster is first started`;
  }
  return undefined;
}

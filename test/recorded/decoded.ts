import { type ReplicaId } from '../../src/kernel/index.js';
import { decodeFrame } from '../../src/replica/frames.js';
import { decodeIntroduction } from '../../src/transport/handshake.js';

/** One frame between two replicas, as recorded: its bytes and what the version that recorded it read in them. */
export interface RecordedFrame {
  readonly from: number;
  readonly to: number;
  /** Header and payload, in hexadecimal. */
  readonly bytes: string;
  readonly decoded: unknown;
}

export interface Manifest {
  readonly version: string;
  readonly replicaId: ReplicaId;
  readonly replicas: readonly number[];
  /** What a restart of the version that recorded it applied, by shard. */
  readonly shards: readonly { readonly appliedThrough: number; readonly hash: number }[];
}

/** Reads the payload of a frame with the decoders of production. Bytes become hexadecimal text. */
export function decodedFrame(payload: Buffer): unknown {
  const body = payload.subarray(1);
  switch (payload[0]) {
    case 1:
      return { link: 'hello', ...introduced(body) };
    case 2: {
      const frame = decodeFrame(body);
      if (frame.kind !== 'paxos') return { link: 'message', ...plain(frame) };
      return { link: 'message', kind: 'paxos', messages: [...frame.messages].map(plain) };
    }
    case 3:
      return { link: 'refused', reason: body.toString() };
    case 4:
      return { link: 'alive' };
    default:
      throw new Error(`a frame of the unknown kind ${payload[0]}`);
  }
}

function plain(value: object): object {
  return JSON.parse(
    JSON.stringify(value, (_key, item: unknown) =>
      isBytes(item) ? Buffer.from(item.data).toString('hex') : item,
    ),
  ) as object;
}

/** What JSON makes of a Buffer. */
const isBytes = (item: unknown): item is { data: number[] } =>
  typeof item === 'object' && item !== null && 'type' in item && item.type === 'Buffer';

/** The version that stands in front is the lowest that the sender speaks. */
function introduced(body: Uint8Array): object {
  const { protocols, ...rest } = decodeIntroduction(body);
  return { version: protocols.min, ...plain(rest) };
}

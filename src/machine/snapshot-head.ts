import { ByteReader, MalformedBytesError, type ShardId, shardId, type Slot, slot } from '../kernel/index.js';
import { FEATURE_LEVEL } from './commands.js';

/** Grows with every change that an older version cannot read. Written from the first change of the replicas on. */
export const SNAPSHOT_FORMAT = 4;
/** Without the configuration of replicas. */
export const FORMAT_WITHOUT_CONFIGURATION = 3;
/** Without the ends of partitions. Version 0.1.0 knows no other; written until the shard keeps them. */
export const FORMAT_WITHOUT_ENDS = 2;
/** The first feature level that keeps the ends of partitions. */
const LEVEL_OF_ENDS = 3;

interface SnapshotHead {
  readonly format: number;
  readonly shard: ShardId;
  readonly appliedThrough: Slot;
}

/** What a snapshot says of itself in its first bytes. Throws MalformedBytesError. */
export const snapshotHead = (snapshot: Uint8Array): SnapshotHead => readHead(new ByteReader(snapshot));

export function readHead(reader: ByteReader, featureLevel = FEATURE_LEVEL): SnapshotHead {
  const format = reader.u8();
  const newest = featureLevel < LEVEL_OF_ENDS ? FORMAT_WITHOUT_ENDS : SNAPSHOT_FORMAT;
  if (format > newest || format < FORMAT_WITHOUT_ENDS) {
    throw new MalformedBytesError(
      `a snapshot of format ${format}, this version knows ${newest}: upgrade this replica`,
    );
  }
  return { format, shard: shardId(reader.varint()), appliedThrough: slot(reader.varint()) };
}

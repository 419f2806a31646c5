import {
  ByteReader,
  type ByteWriter,
  codec,
  MalformedBytesError,
  type ShardId,
  shardId,
  type Slot,
  slot,
} from '../kernel/index.js';
import { FEATURE_LEVEL, LEVEL_OF_SWITCHES } from './feature-level.js';
import type { Parts } from './parts.js';
import { firstReplicasCodec, NO_CHANGES, replicasCodec, supersedes } from './replica-plan.js';

/** Grows with every change that an older version cannot read. Written from feature level 7 on. */
const SNAPSHOT_FORMAT = 7;
/** Without what came with plans in the place of others. Written once a command has raised the feature level. */
const FORMAT_WITHOUT_DETAILS = 6;
/** Without the feature level. Written once a plan has been made for other replicas. */
const FORMAT_WITHOUT_LEVEL = 5;
/** Without the plan for the replicas. */
const FORMAT_WITHOUT_PLAN = 4;
/** Without the configuration of replicas. */
const FORMAT_WITHOUT_CONFIGURATION = 3;
/** Without the ends of partitions. Version 0.1.0 knows no other; written until the shard keeps them. */
const FORMAT_WITHOUT_ENDS = 2;
/** The first feature levels that keep the ends of partitions, and that change replicas. */
const LEVEL_OF_ENDS = 3;
const LEVEL_OF_PLANS = 5;
/** Plans in the place of others. */
const LEVEL_OF_SUPERSEDING = 7;

interface SnapshotHead {
  readonly format: number;
  readonly shard: ShardId;
  readonly appliedThrough: Slot;
}

/** What a snapshot says of itself in its first bytes. Throws MalformedBytesError. */
export const snapshotHead = (snapshot: Uint8Array): SnapshotHead => readHead(new ByteReader(snapshot));

export function readHead(reader: ByteReader, featureLevel = FEATURE_LEVEL): SnapshotHead {
  const format = reader.u8();
  const newest = newestOf(featureLevel);
  if (format > newest || format < FORMAT_WITHOUT_ENDS) {
    throw new MalformedBytesError(
      `a snapshot of format ${format}, this version knows ${newest}: upgrade this replica`,
    );
  }
  return { format, shard: shardId(reader.varint()), appliedThrough: slot(reader.varint()) };
}

function newestOf(featureLevel: number): number {
  if (featureLevel < LEVEL_OF_ENDS) return FORMAT_WITHOUT_ENDS;
  if (featureLevel < LEVEL_OF_PLANS) return FORMAT_WITHOUT_PLAN;
  if (featureLevel < LEVEL_OF_SWITCHES) return FORMAT_WITHOUT_LEVEL;
  return featureLevel < LEVEL_OF_SUPERSEDING ? FORMAT_WITHOUT_DETAILS : SNAPSHOT_FORMAT;
}

interface Written extends Pick<
  Parts,
  'appliedThrough' | 'hash' | 'clock' | 'configuration' | 'replicas' | 'level'
> {
  readonly shard: ShardId;
  readonly endsStarted: boolean;
}

/** Everything before the notices, in the oldest format that holds all there is: an older version may have to read it. */
export function writeHead(head: ByteWriter, written: Written): void {
  const { shard, appliedThrough, hash, clock, configuration, replicas, level, endsStarted } = written;
  const format = formatOf(written);
  head.u8(format);
  head.varint(shard);
  head.varint(appliedThrough);
  head.u32(hash);
  head.f64(clock);
  if (format < FORMAT_WITHOUT_PLAN) return;
  head.bytes(configuration ?? Buffer.alloc(0));
  head.u8(endsStarted ? 1 : 0);
  if (format >= FORMAT_WITHOUT_LEVEL) head.bytes(codec.encode(replicasCodecOf(format), replicas));
  if (format >= FORMAT_WITHOUT_DETAILS) head.varint(level);
}

const replicasCodecOf = (format: number): typeof replicasCodec =>
  format < SNAPSHOT_FORMAT ? firstReplicasCodec : replicasCodec;

function formatOf({ replicas, configuration, level, endsStarted }: Written): number {
  if (level >= LEVEL_OF_SUPERSEDING || supersedes(replicas)) return SNAPSHOT_FORMAT;
  if (level > 0) return FORMAT_WITHOUT_DETAILS;
  if (replicas.lastNumber > 0) return FORMAT_WITHOUT_LEVEL;
  if (configuration !== undefined) return FORMAT_WITHOUT_PLAN;
  return endsStarted ? FORMAT_WITHOUT_CONFIGURATION : FORMAT_WITHOUT_ENDS;
}

/** The part that came with changes of the replicas, and of the feature level. */
export function readReplicas(
  reader: ByteReader,
  format: number,
): Pick<Parts, 'configuration' | 'replicas' | 'level'> & { readonly hasEnds: boolean } {
  if (format < FORMAT_WITHOUT_PLAN)
    return {
      configuration: undefined,
      replicas: NO_CHANGES,
      level: 0,
      hasEnds: format !== FORMAT_WITHOUT_ENDS,
    };
  const configuration = Buffer.from(reader.bytes());
  const hasEnds = reader.u8() === 1;
  const replicas =
    format >= FORMAT_WITHOUT_LEVEL ? codec.decode(replicasCodecOf(format), reader.bytes()) : NO_CHANGES;
  const level = format >= FORMAT_WITHOUT_DETAILS ? reader.varint() : 0;
  return { configuration: configuration.length === 0 ? undefined : configuration, replicas, level, hasEnds };
}

import {
  type ByteReader,
  MalformedBytesError,
  type PartedBytes,
  type Steps,
  wallMs,
} from '../kernel/index.js';
import { restoringGroups } from '../groups/index.js';
import { restoringRegisters } from '../registers/index.js';
import { Ends, restoreTopics } from '../topics/index.js';
import { committedEnds } from './committed-ends.js';
import { createNoticeLog, noticeLogCodec } from './notices.js';
import type { Parts } from './parts.js';
import { readHead, readReplicas } from './snapshot-head.js';
import type { MachineOptions } from './types.js';

/** From what a snapshot holds, in steps. Throws MalformedBytesError. */
export function* readingParts(options: MachineOptions, snapshot: PartedBytes): Steps<Parts> {
  const { hasEnds, ...head } = yield* snapshot.item((reader) => readBeginning(options, reader));
  const ends = hasEnds ? yield* Ends.restoring(snapshot) : new Ends();
  const registers = yield* restoringRegisters(snapshot);
  const groups = yield* restoringGroups(snapshot);
  if (!ends.started) ends.derive(committedEnds(groups));
  return { ...head, groups, registers, ends };
}

function readBeginning(
  options: MachineOptions,
  reader: ByteReader,
): Omit<Parts, 'ends' | 'registers' | 'groups'> & { readonly hasEnds: boolean } {
  const { format, shard, appliedThrough } = readHead(reader, options.featureLevel);
  if (shard !== options.shard)
    throw new MalformedBytesError(`a snapshot of shard ${shard}, not ${options.shard}`);
  const hash = reader.u32();
  const clock = wallMs(reader.f64());
  const replicas = readReplicas(reader, format);
  const notices = createNoticeLog(noticeLogCodec.read(reader));
  const topics = restoreTopics(reader.bytes());
  return { ...replicas, appliedThrough, hash, clock, notices, topics };
}

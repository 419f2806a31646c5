import { restoringGroups } from '../groups/index.js';
import { ByteReader, MalformedBytesError, type Steps, wallMs } from '../kernel/index.js';
import { restoringRegisters } from '../registers/index.js';
import { Ends, restoreTopics } from '../topics/index.js';
import { committedEnds } from './committed-ends.js';
import { createNoticeLog, noticeLogCodec } from './notices.js';
import type { Parts } from './parts.js';
import { readHead, readReplicas } from './snapshot-head.js';
import type { MachineOptions } from './types.js';

/** From what a snapshot holds, in steps. Throws MalformedBytesError. */
export function* readingParts(options: MachineOptions, snapshot: Uint8Array): Steps<Parts> {
  const reader = new ByteReader(snapshot);
  const { format, shard, appliedThrough } = readHead(reader, options.featureLevel);
  if (shard !== options.shard)
    throw new MalformedBytesError(`a snapshot of shard ${shard}, not ${options.shard}`);
  const hash = reader.u32();
  const clock = wallMs(reader.f64());
  const { configuration, hasEnds, replicas, level } = readReplicas(reader, format);
  const notices = createNoticeLog(noticeLogCodec.read(reader));
  const topics = restoreTopics(reader.bytes());
  const ends = hasEnds ? Ends.restore(reader) : new Ends();
  const registers = yield* restoringRegisters(reader);
  const groups = yield* restoringGroups(reader.raw(reader.remaining));
  if (!ends.started) ends.derive(committedEnds(groups));
  return {
    ...{ groups, topics, registers, ends, notices, appliedThrough, hash, clock },
    ...{ configuration, replicas, level },
  };
}

import { decodeCommand, FIRST_FEATURE_LEVEL, levelOf } from '../machine/index.js';
import { decodeFrame } from '../replica/index.js';

/** Frames that came with a feature level (docs/compatibility.md). Answers go to who has asked. */
const FRAMES_SINCE: Readonly<Record<string, number>> = { position: 2, readAsk: 3, clockAsk: 3 };

/** The first feature level at which a read at any replica is linearizable. */
export const LEVEL_OF_READS_ANYWHERE = 3;
/** The first feature level at which offsets past their retention go. */
export const LEVEL_OF_RETENTION = 3;

/** What a process ends with when it finds what only a newer version can apply. */
export const TOO_NEW = 'upgrade this replica';

/** The feature level that a version must have to read a message between replicas. */
export function levelOfFrame(bytes: Uint8Array): number {
  return FRAMES_SINCE[decodeFrame(bytes).kind] ?? FIRST_FEATURE_LEVEL;
}

/** The highest feature level of the commands that a message brings to be accepted. */
export function levelOfCommands(bytes: Uint8Array): number {
  const frame = decodeFrame(bytes);
  if (frame.kind !== 'paxos') return FIRST_FEATURE_LEVEL;
  const levels = frame.messages.flatMap(({ message }) =>
    message.kind === 'accept'
      ? message.entries.map((entry) =>
          entry.kind === 'command' ? levelOf(decodeCommand(entry.payload).command) : FIRST_FEATURE_LEVEL,
        )
      : [],
  );
  return Math.max(FIRST_FEATURE_LEVEL, ...levels);
}

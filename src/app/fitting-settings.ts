import type { DiskSpace } from '../admin/index.js';
import { GROUP_SETTINGS } from './assemble.js';
import { connectionLimits } from './descriptors.js';
import type { SettingName, Settings } from './settings.js';

/** The replica that leads a shard applies its own: with others elsewhere, what clients get changes with the leader. */
const SHARED: readonly SettingName[] = [
  'electionTimeoutMs',
  'leaseMs',
  'clockDriftRatio',
  ...(Object.keys(GROUP_SETTINGS) as (keyof typeof GROUP_SETTINGS)[]),
  'commitOwnership',
  'retentionSweepMs',
  'autoCreateTopics',
  'autoCreatePartitions',
  'topicPartitionsMax',
  'topicsMax',
  'frameBytesMax',
];

/** The settings that should be the same on every replica. */
export function sharedSettings(settings: Settings): Readonly<Record<string, string | number | boolean>> {
  return Object.fromEntries(SHARED.map((name) => [name, settings[name] as string | number | boolean]));
}

/** The disk should hold this many times `compactionBytes`: the log, two snapshots, and what a compaction writes beside them. */
const COMPACTIONS_ON_DISK = 4;

/** What starts, and does not fit together or not to this machine: each a sentence that says what to change. */
export function settingsAdvice(
  settings: Settings,
  openFilesMax: number | undefined,
  disk: DiskSpace | undefined,
): readonly string[] {
  const advice: string[] = [];
  const { handOverMs, membersMoveMs, shutdownTimeoutMs, replicas, quorums, compactionBytes } = settings;
  if (handOverMs + membersMoveMs >= shutdownTimeoutMs)
    advice.push(
      `shutdownTimeoutMs is ${shutdownTimeoutMs}, and handOverMs and membersMoveMs are ${handOverMs + membersMoveMs} together: ` +
        'a replica that is told to stop may end before its leadership and the members of groups have moved. Raise the first or lower the others.',
    );
  if (replicas.length > 1 && replicas.length % 2 === 0 && quorums.kind === 'majority')
    advice.push(
      `${replicas.length} replicas with a majority survive no more failures than ${replicas.length - 1}: take one away or add one.`,
    );
  if (settings.offsetsRetentionMs < settings.retentionSweepMs)
    advice.push(
      `offsetsRetentionMs is ${settings.offsetsRetentionMs}, and retentionSweepMs ${settings.retentionSweepMs}: offsets stay until the next sweep. Lower the second.`,
    );
  if (disk !== undefined && disk.totalBytes < COMPACTIONS_ON_DISK * compactionBytes)
    advice.push(
      `compactionBytes is ${compactionBytes}, and the disk has ${disk.totalBytes} bytes: it may be full before the log is shortened. ` +
        `Set compactionBytes to at most a quarter of the disk (${Math.floor(disk.totalBytes / COMPACTIONS_ON_DISK)}).`,
    );
  const { warning, kafka } = connectionLimits(settings, openFilesMax);
  // A little less than what was asked for is said at the start, and is no reason to look again.
  if (warning !== undefined && kafka < settings.connectionsMax / 2)
    advice.push(warning.charAt(0).toUpperCase() + warning.slice(1));
  return advice;
}

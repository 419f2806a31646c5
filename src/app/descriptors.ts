import { readFileSync } from 'node:fs';
import type { Settings } from './settings.js';

/** For log segments, snapshots, the links of the replicas, listeners and Node itself. */
const RESERVED_MAX = 128;
const HTTP_SHARE = 0.25;

/** How many files this process may open; undefined where the system does not say. */
export function openFilesMax(): number | undefined {
  try {
    const soft = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
    return soft === undefined ? undefined : Number(soft);
  } catch {
    return undefined;
  }
}

export interface ConnectionLimits {
  readonly kafka: number;
  readonly http: number;
  /** What to tell the operator when the settings allow more than the system does. */
  readonly warning: string | undefined;
}

/**
 * Clients may never take the descriptors that the log needs: a replica that cannot open the next segment stops.
 * `filesMax`: how many files the process may open; undefined: the settings alone count.
 */
export function connectionLimits(
  { connectionsMax, httpConnectionsMax }: Pick<Settings, 'connectionsMax' | 'httpConnectionsMax'>,
  filesMax: number | undefined,
): ConnectionLimits {
  const wanted = { kafka: connectionsMax, http: httpConnectionsMax };
  if (filesMax === undefined) return { ...wanted, warning: undefined };
  const reserved = Math.min(RESERVED_MAX, Math.floor(filesMax / 2));
  const left = filesMax - reserved;
  if (wanted.kafka + wanted.http <= left) return { ...wanted, warning: undefined };
  const http = Math.max(1, Math.min(wanted.http, Math.floor(left * HTTP_SHARE)));
  const kafka = Math.max(1, Math.min(wanted.kafka, left - http));
  const warning =
    `a replica may open ${filesMax} files, of which ${reserved} are kept for the log and the other replicas: it takes at most ` +
    `${kafka} Kafka and ${http} HTTP connections. Raise the limit (ulimit -n), or lower connectionsMax and httpConnectionsMax.`;
  return { kafka, http, warning };
}

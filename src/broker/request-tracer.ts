import type { GroupId, ShardId } from '../kernel/index.js';
import type { CommandTrace } from '../replica/index.js';
import type { ApiName } from '../wire/index.js';

/** What becomes of one request, from when it is read until its answer is written. */
export interface RequestTrace extends CommandTrace {
  /** `generation`: as its client gave it; undefined where it gives none. */
  about(group: GroupId, shard: ShardId, generation?: number): void;
  /** Its answer waits for the rest of the group. */
  parked(): void;
  /** The end. `error`: Kafka's code, 0 for none; undefined when the connection ended before the answer left. */
  answered(error: number | undefined): void;
}

/** Somebody who wants to know what becomes of requests. */
export interface RequestTracer {
  /** Undefined: not of this one. */
  begin(api: ApiName): RequestTrace | undefined;
}

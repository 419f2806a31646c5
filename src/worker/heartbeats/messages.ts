import type { GroupClientOptions, Membership } from '../../client/index.js';

export interface ThreadOptions {
  readonly client: GroupClientOptions;
  readonly memory: SharedArrayBuffer;
  readonly heartbeatIntervalMs: number;
  /** After so long it leaves the group. Milliseconds. */
  readonly loopBlockedMsMax: number;
}

/** Who the member is now. A heartbeat is to be sent for it, unless the id is 0. */
export interface BeatOrder extends Membership {
  readonly id: number;
}

export type ThreadMessage =
  | { readonly kind: 'answered'; readonly id: number; readonly code: number; readonly drain: boolean }
  | { readonly kind: 'unanswered'; readonly id: number; readonly why: string };

import type { Slot, WallMs } from '../kernel/index.js';
import type { Groups } from '../groups/index.js';
import type { Registers } from '../registers/index.js';
import type { Ends, Topics } from '../topics/index.js';
import type { NoticeLog } from './notices.js';
import type { ReplicasView } from './replica-plan.js';

/** The state of a shard's machine. */
export interface Parts {
  readonly groups: Groups;
  readonly topics: Topics;
  readonly registers: Registers;
  readonly ends: Ends;
  readonly notices: NoticeLog;
  readonly appliedThrough: Slot;
  readonly hash: number;
  readonly clock: WallMs;
  /** Which configuration of replicas the log is in; undefined for the first one. */
  readonly configuration: Uint8Array | undefined;
  readonly replicas: ReplicasView;
  /** The feature level that a command said to use; 0 before the first. */
  readonly level: number;
}

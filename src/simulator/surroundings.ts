import type { Random, ReplicaId } from '../kernel/index.js';
import type { OpenedStorage, Replica } from '../replica/index.js';
import type { SimulatedDisk } from './disk.js';
import type { SimulatedNetwork } from './network.js';
import type { Setup } from './setup.js';
import type { Trace } from './trace.js';
import type { VirtualTime } from './virtual-time.js';

/** What a process is made of; the world's side of it. */
export interface Surroundings {
  readonly time: VirtualTime;
  readonly random: Random;
  readonly trace: Trace;
  readonly network: SimulatedNetwork;
  readonly disk: SimulatedDisk;
  readonly setup: Setup;
  /** Whom its settings name. */
  readonly named: readonly ReplicaId[];
  /** Of the version that it runs. */
  readonly featureLevel: number;
  /** A message leaves it. */
  readonly sends?: (bytes: Uint8Array) => void;
  /** A message reaches it. False: its version cannot read that. */
  readonly hears?: (from: ReplicaId, bytes: Uint8Array) => boolean;
  /** Its monotonic clock runs this much faster than time does. */
  readonly drift: number;
  /** What its wall clock is off by. Milliseconds. */
  readonly wallOffset: () => number;
  readonly opened: (storage: OpenedStorage) => void;
  /** Whether its ports are free. */
  readonly listen: () => boolean;
  /** Its disk is about to do something. */
  readonly beforeEffect: (what: string) => void;
  readonly made: (replica: Replica) => void;
  /** It is about to say its first word about its shards. */
  readonly speaks: (replica: Replica) => void;
  /** It died in the middle of an effect. */
  readonly died: () => void;
  /** It ended by itself. */
  readonly ended: (reason: string) => void;
}

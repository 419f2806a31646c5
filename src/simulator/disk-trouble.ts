/** What goes wrong on a disk now. */
export interface DiskTrouble {
  /** Bytes that still fit; what does not fit is cut off. */
  room: number;
  /** How many writes and syncs go well before the first that fails. */
  failsAfter: number;
  /** How many of them fail then. */
  failures: number;
  /** How long a write or sync takes at the least. Milliseconds. */
  slowMs: number;
  /** No write or sync ends. */
  hangs: boolean;
}

export const noTrouble = (): DiskTrouble => ({
  room: Number.POSITIVE_INFINITY,
  failsAfter: Number.POSITIVE_INFINITY,
  failures: Number.POSITIVE_INFINITY,
  slowMs: 0,
  hangs: false,
});

export const inTrouble = ({ room, failsAfter, slowMs, hangs }: DiskTrouble): boolean =>
  room < Number.POSITIVE_INFINITY || failsAfter < Number.POSITIVE_INFINITY || slowMs > 0 || hangs;

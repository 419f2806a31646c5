import { OutcomeUnknownError } from '../errors.js';

/** Which copies of a write must be there before it counts as written. At least one must be asked for. */
export interface ConfirmOptions {
  /** Replicas that have it in memory (WAIT). Default 0. */
  readonly replicas?: number;
  /** The master has it on its disk (WAITAOF: Redis 7.2 or Valkey, with `appendonly yes`). Default false. */
  readonly masterDisk?: boolean;
  /** Replicas that have it on their disks (WAITAOF). Default 0. */
  readonly replicaDisks?: number;
  /** How long the server waits for them, in milliseconds, at least 1; twice when it is asked for disks and for more replicas. */
  readonly timeoutMs: number;
}

/**
 * The master has carried the write out, and fewer copies than asked for are known to exist: a failover may lose it. Read the
 * record before you write again. A later write to the same node that is confirmed confirms this one as well, as replicas
 * get all writes in their order: a `touch` of the record will do, or the same seal again.
 */
export class UnconfirmedWriteError extends OutcomeUnknownError {
  override readonly name = 'UnconfirmedWriteError';
  constructor(what: string, { why, cause }: { readonly why: string; readonly cause?: unknown }) {
    super(what, cause);
    this.message =
      `${what}: the master has carried it out, but ${why}, so a failover may lose it. Read the record before you write ` +
      'again; to be sure of it write to it once more (a touch will do, or the same seal again), which confirms both.';
  }
}

/** The server cannot do what `confirm` asks for. Found out before the first write: nothing was written. */
export class CannotConfirmError extends Error {
  override readonly name = 'CannotConfirmError';
  constructor(command: string, cause: Error) {
    super(
      `the server refuses ${command} (${cause.message}), so it cannot confirm writes as \`confirm\` asks. Nothing was written. ` +
        'WAIT needs Redis 3.0, and WAITAOF Redis 7.2 or Valkey, and `appendonly yes` for `masterDisk`.',
      { cause },
    );
  }
}

/** One command that waits for copies. */
export interface Confirmation {
  readonly command: readonly [string, ...string[]];
  /** The same, waiting for nothing: whether the server knows it and lets us. */
  readonly probe: readonly [string, ...string[]];
  /** What is missing, in words; undefined when nothing is. */
  readonly missing: (reply: unknown) => string | undefined;
}

/** @throws RangeError or TypeError when the options make no sense. */
export function confirmationsOf(options: ConfirmOptions): readonly Confirmation[] {
  const { replicas = 0, masterDisk = false, replicaDisks = 0, timeoutMs } = options;
  atLeast(0, { replicas, replicaDisks });
  // To the server, 0 means for ever.
  atLeast(1, { timeoutMs });
  const confirmations: Confirmation[] = [];
  const within = `within ${timeoutMs} ms`;
  // A replica that has it on its disk has it in memory.
  if (replicas > replicaDisks) {
    confirmations.push({
      command: ['WAIT', String(replicas), String(timeoutMs)],
      probe: ['WAIT', '0', '1'],
      missing: (reply) => {
        const had = Number(reply);
        return had >= replicas ? undefined : `only ${had} of ${replicas} replicas had it ${within}`;
      },
    });
  }
  if (masterDisk || replicaDisks > 0) {
    const masters = masterDisk ? 1 : 0;
    confirmations.push({
      command: ['WAITAOF', String(masters), String(replicaDisks), String(timeoutMs)],
      probe: ['WAITAOF', String(masters), '0', '1'],
      missing: (reply) => {
        const [master, others] = (reply as readonly unknown[]).map(Number) as [number, number];
        if (!(master >= masters)) return `it was not on the disk of the master ${within}`;
        return others >= replicaDisks
          ? undefined
          : `it was on the disks of only ${others} of ${replicaDisks} replicas ${within}`;
      },
    });
  }
  if (confirmations.length === 0) throw new TypeError('`confirm` asks for no copy: give replicas or disks');
  return confirmations;
}

function atLeast(least: number, values: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(values)) {
    if (!Number.isInteger(value) || value < least)
      throw new RangeError(
        `\`confirm.${name}\` is ${value}, and must be a whole number of at least ${least}`,
      );
  }
}

import { LockingError } from './errors.js';

export interface RetryOptions {
  /** Tries in all, the first included. Default 5. */
  readonly attempts?: number;
  /** The first pause; each further one doubles. Milliseconds, default 10. The real pause is random between 0 and this. */
  readonly backoffMs?: number;
  /** No pause is longer. Milliseconds, default 1000. */
  readonly backoffMsMax?: number;
  /** No new try begins after this long. Milliseconds, default: no limit. */
  readonly deadlineMs?: number;
  /** Ends the waiting: the signal of a partition that was lost or is being handed over. */
  readonly signal?: AbortSignal;
  /** Called before each pause, e.g. to count conflicts. */
  readonly onRetry?: (error: LockingError, attempt: number) => void;
  /** For tests. */
  readonly random?: () => number;
  readonly sleep?: (ms: number, signal: AbortSignal | undefined) => Promise<void>;
  readonly now?: () => number;
}

/**
 * Runs `attempt` again when it fails because another writer was faster. It must read again each time. A stale epoch, a
 * record that is gone and an unknown outcome are never retried: the first means that it is not ours to write any more.
 */
export async function retryOnConflict<R>(
  attempt: (attempt: number) => Promise<R>,
  options: RetryOptions = {},
): Promise<R> {
  const {
    attempts = 5,
    backoffMs = 10,
    backoffMsMax = 1_000,
    deadlineMs = Infinity,
    signal,
    onRetry,
  } = options;
  const { random = Math.random, sleep = pause, now = () => performance.now() } = options;
  const giveUpAt = now() + deadlineMs;
  for (let number = 1; ; number++) {
    signal?.throwIfAborted();
    try {
      return await attempt(number);
    } catch (error) {
      if (!(error instanceof LockingError) || !error.retriable || number >= attempts) throw error;
      const waitMs = fullJitterMs(number, { backoffMs, backoffMsMax, random });
      if (now() + waitMs > giveUpAt) throw error;
      onRetry?.(error, number);
      await sleep(waitMs, signal);
    }
  }
}

/**
 * How long to wait before a retry, counted from 1: anything up to a limit that doubles each time. Those who collided once
 * should not meet again at the next try.
 */
export const fullJitterMs = (
  retry: number,
  {
    backoffMs,
    backoffMsMax,
    random = Math.random,
  }: Required<Pick<RetryOptions, 'backoffMs' | 'backoffMsMax'>> & Pick<RetryOptions, 'random'>,
): number => random() * Math.min(backoffMsMax, backoffMs * 2 ** (retry - 1));

/** Rejects when the signal aborts. */
export function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = (): void => {
      signal?.removeEventListener('abort', abort);
      resolve();
    };
    const timer = setTimeout(end, ms);
    const abort = (): void => {
      clearTimeout(timer);
      reject(signal!.reason instanceof Error ? signal!.reason : new Error('aborted'));
    };
    signal?.addEventListener('abort', abort, { once: true });
  });
}

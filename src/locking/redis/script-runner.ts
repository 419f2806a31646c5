import { OutcomeUnknownError } from '../errors.js';
import { ConnectionWatch, type RedisClient } from './client.js';
import type { Script } from './scripts.js';

export interface ScriptRun {
  readonly answer: unknown;
  /** A connection was lost meanwhile: the script may have run twice, or a copy of it may still run. */
  readonly connectionLost: boolean;
  /** Fewer copies than asked for are known to exist of what the script wrote, and why. */
  readonly unconfirmed?: { readonly why: string; readonly cause?: unknown } | undefined;
}

export interface RunScripts {
  /**
   * @param what for the message when the answer is lost.
   * @throws OutcomeUnknownError when it cannot tell whether the script ran; the driver's error when it knows that it did not.
   */
  run(
    script: Script,
    keys: readonly string[],
    what: () => string,
    ...parameters: readonly string[]
  ): Promise<ScriptRun>;
}

/** Sends scripts by their hash, and in full when the server does not have them (a restart, a failover, SCRIPT FLUSH). */
export class ScriptRunner implements RunScripts {
  readonly #client: RedisClient;
  readonly #watch: ConnectionWatch;

  constructor(client: RedisClient) {
    this.#client = client;
    this.#watch = ConnectionWatch.of(client);
  }

  run(
    { lua, sha }: Script,
    keys: readonly string[],
    what: () => string,
    ...parameters: readonly string[]
  ): Promise<ScriptRun> {
    const { losses } = this.#watch;
    const ended = this.#client.status === 'end';
    const answered = (answer: unknown): ScriptRun => ({
      answer,
      connectionLost: this.#watch.losses !== losses,
    });
    const failed = (error: unknown): never => {
      throw scriptFailure(error, { ended, connectionLost: this.#watch.losses !== losses, what });
    };
    const sent = this.#client.evalsha(sha, keys.length, ...keys, ...parameters);
    return this.#watch.orLoss(sent).then(answered, (error: unknown) => {
      if (!isUnknownScript(error)) return failed(error);
      const inFull = this.#client.eval(lua, keys.length, ...keys, ...parameters);
      return this.#watch.orLoss(inFull).then(answered, failed);
    });
  }
}

/**
 * What the caller of a script is told when it failed: the driver's error when it certainly did not run, else that nobody
 * knows. `ended`: the client had been closed before. After a loss, an error is about the second copy only.
 */
export const scriptFailure = (
  error: unknown,
  { ended, connectionLost, what }: ScriptFailureContext,
): unknown =>
  !connectionLost && (ended || wasRefused(error)) ? error : new OutcomeUnknownError(what(), error);

interface ScriptFailureContext {
  readonly ended: boolean;
  readonly connectionLost: boolean;
  readonly what: () => string;
}

export const isUnknownScript = (error: unknown): boolean =>
  error instanceof Error && error.message.startsWith('NOSCRIPT');

/** By the server, before anything changed, or by the driver, before anything was sent. All else may mean a lost answer. */
function wasRefused(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return (
    error.name === 'ReplyError' ||
    error.message.startsWith('Too many Cluster redirections. Last error: ReplyError') ||
    error.message.includes('enableOfflineQueue options is false')
  );
}

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
      // After a loss, an error is about the second copy only.
      if (this.#watch.losses === losses && (ended || wasRefused(error))) throw error;
      throw new OutcomeUnknownError(what(), error);
    };
    const sent = this.#client.evalsha(sha, keys.length, ...keys, ...parameters);
    return this.#watch.orLoss(sent).then(answered, (error: unknown) => {
      if (!isUnknownScript(error)) return failed(error);
      const inFull = this.#client.eval(lua, keys.length, ...keys, ...parameters);
      return this.#watch.orLoss(inFull).then(answered, failed);
    });
  }
}

export const isUnknownScript = (error: unknown): boolean =>
  error instanceof Error && error.message.startsWith('NOSCRIPT');

/** By the server, before anything changed, or by the driver, before anything was sent. All else may mean a lost answer. */
export function wasRefused(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return (
    error.name === 'ReplyError' ||
    error.message.startsWith('Too many Cluster redirections. Last error: ReplyError') ||
    error.message.includes('enableOfflineQueue options is false')
  );
}

import { OutcomeUnknownError } from '../errors.js';
import { abandonsCommands, ConnectionWatch, type RedisClient } from './client.js';
import type { Script } from './scripts.js';

export interface ScriptRun {
  readonly answer: unknown;
  /** A connection was lost meanwhile: the script may have run twice, or a copy of it may still run. */
  readonly connectionLost: boolean;
}

/** Sends scripts by their hash, and in full when the server does not have them (a restart, a failover, SCRIPT FLUSH). */
export class ScriptRunner {
  readonly #client: RedisClient;
  readonly #watch: ConnectionWatch;
  readonly #abandons: boolean;

  constructor(client: RedisClient) {
    this.#client = client;
    this.#watch = ConnectionWatch.of(client);
    this.#abandons = abandonsCommands(client);
  }

  /**
   * @param what for the message when the answer is lost.
   * @throws OutcomeUnknownError when it cannot tell whether the script ran; the driver's error when it knows that it did not.
   */
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
    return this.#answerTo(sent).then(answered, (error: unknown) => {
      if (!isUnknownScript(error)) return failed(error);
      const inFull = this.#client.eval(lua, keys.length, ...keys, ...parameters);
      return this.#answerTo(inFull).then(answered, failed);
    });
  }

  #answerTo(sent: Promise<unknown>): Promise<unknown> {
    if (!this.#abandons) return sent;
    return new Promise((resolve, reject) => {
      const stop = this.#watch.onLoss(() => reject(new Error('the connection was lost')));
      sent.then(resolve, reject).finally(stop);
    });
  }
}

const isUnknownScript = (error: unknown): boolean =>
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

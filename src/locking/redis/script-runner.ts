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

  constructor(client: RedisClient) {
    this.#client = client;
    this.#watch = ConnectionWatch.of(client);
  }

  /**
   * @param what for the message when the answer is lost.
   * @throws OutcomeUnknownError when it cannot tell whether the script ran; the driver's error when it knows that it did not.
   */
  async run(
    what: string,
    script: Script,
    keys: readonly string[],
    parameters: readonly string[],
  ): Promise<ScriptRun> {
    const { losses } = this.#watch;
    const ended = this.#client.status === 'end';
    try {
      const sent = this.#send(script, keys, parameters);
      const answer = await (abandonsCommands(this.#client) ? this.#unlessLost(sent) : sent);
      return { answer, connectionLost: this.#watch.losses !== losses };
    } catch (error) {
      // After a loss, an error is about the second copy only.
      if (this.#watch.losses === losses && (ended || wasRefused(error))) throw error;
      throw new OutcomeUnknownError(what, error);
    }
  }

  #unlessLost(answer: Promise<unknown>): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const stop = this.#watch.onLoss(() => reject(new Error('the connection was lost')));
      answer.then(resolve, reject).finally(stop);
    });
  }

  async #send(
    { lua, sha }: Script,
    keys: readonly string[],
    parameters: readonly string[],
  ): Promise<unknown> {
    try {
      return await this.#client.evalsha(sha, keys.length, ...keys, ...parameters);
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error;
      return this.#client.eval(lua, keys.length, ...keys, ...parameters);
    }
  }
}

/** By the server, before anything changed, or by the driver, before anything was sent. All else may mean a lost answer. */
function wasRefused(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return (
    error.name === 'ReplyError' ||
    error.message.startsWith('Too many Cluster redirections. Last error: ReplyError') ||
    error.message.includes('enableOfflineQueue options is false')
  );
}

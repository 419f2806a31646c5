import { setTimeout as delay } from 'node:timers/promises';
import { ConnectionWatch, isCluster, type Pipeline, type RedisClient } from './client.js';
import { CannotConfirmError, type Confirmation } from './confirm.js';
import { isUnknownScript, type RunScripts, scriptFailure, type ScriptRun } from './script-runner.js';
import type { Script } from './scripts.js';

/** A script that waits for its turn. */
interface Request {
  readonly script: Script;
  readonly keys: readonly string[];
  readonly parameters: readonly string[];
  readonly what: () => string;
  readonly resolve: (run: ScriptRun) => void;
  readonly reject: (error: unknown) => void;
  inFull: boolean;
  redirections: number;
  /** As of when it was first sent. */
  lossesBefore?: number;
}

type Reply = readonly [Error | null, unknown];

const REDIRECTIONS_MAX = 16;
const REDIRECTION_PAUSE_MS = 100;

/**
 * Sends scripts and, in the same pipeline behind them, what waits for their copies. A pipeline is what makes the two
 * belong together: in a cluster WAIT has no key and would go to any node, and after a reconnect ioredis would send it again
 * without the script, on a connection that has written nothing, where it counts every replica. Of a pipeline ioredis sends
 * all again or, when a part was answered, nothing.
 *
 * WAIT holds up what is behind it on its connection, also when there is nothing to confirm. So what comes while a pipeline
 * is out goes together with the next: however many writers there are, they wait for the copies once.
 */
export class ConfirmingRunner implements RunScripts {
  readonly #client: RedisClient & { pipeline: Pipeline };
  readonly #watch: ConnectionWatch;
  readonly #confirmations: readonly Confirmation[];
  readonly #cluster: boolean;
  /** By hash tag in a cluster, where a pipeline reaches one node. There while one is out. */
  readonly #waiting = new Map<string, Request[]>();
  #probed: Promise<void> | undefined;
  /** Sent in full before: a script that the server turns out not to know costs a pipeline, with all the waiting of one. */
  readonly #known = new Set<Script>();

  constructor(client: RedisClient, confirmations: readonly Confirmation[]) {
    if (client.pipeline === undefined) throw new TypeError('`confirm` needs a client with pipelines');
    this.#client = client as RedisClient & { pipeline: Pipeline };
    this.#watch = ConnectionWatch.of(client);
    this.#confirmations = confirmations;
    this.#cluster = isCluster(client);
  }

  run(
    script: Script,
    keys: readonly string[],
    what: () => string,
    ...parameters: readonly string[]
  ): Promise<ScriptRun> {
    return new Promise((resolve, reject) => {
      const request = {
        script,
        keys,
        what,
        parameters,
        resolve,
        reject,
        inFull: !this.#known.has(script),
        redirections: 0,
      };
      const [first] = keys as readonly [string];
      const tag = this.#cluster ? first.slice(0, first.indexOf('}')) : '';
      const waiting = this.#waiting.get(tag);
      if (waiting !== undefined) {
        waiting.push(request);
        return;
      }
      this.#waiting.set(tag, [request]);
      // After everything else that is written in this turn.
      queueMicrotask(() => void this.#sendAll(tag));
    });
  }

  async #sendAll(tag: string): Promise<void> {
    const waiting = this.#waiting.get(tag)!;
    while (waiting.length > 0) {
      const requests = waiting.splice(0);
      const again = await this.#send(requests).catch((error: unknown): Request[] => {
        for (const { reject } of requests) reject(error);
        return [];
      });
      waiting.unshift(...again);
    }
    this.#waiting.delete(tag);
  }

  /** Answers every request but those that it gives back, which were not carried out and are to be sent again. */
  async #send(requests: readonly Request[]): Promise<readonly Request[]> {
    await (this.#probed ??= this.#probe().catch((error: unknown) => {
      this.#probed = undefined;
      throw error;
    }));
    const ended = this.#client.status === 'end';
    for (const request of requests) request.lossesBefore ??= this.#watch.losses;
    const replies = await this.#pipelined([
      ...requests.map(commandOf),
      ...this.#confirmations.map(({ command: [name, ...args] }) => ['call', name, ...args]),
    ]);
    const missing = this.#missing(replies.slice(requests.length));
    const again: Request[] = [];
    for (const [i, request] of requests.entries()) {
      const [error, answer] = replies[i] as Reply;
      const connectionLost = this.#watch.losses !== request.lossesBefore;
      if (error === null) {
        this.#known.add(request.script);
        // The count may be that of a server which was never sent this write, or of a copy that did not write any more.
        const unconfirmed = connectionLost ? { why: 'the connection was lost meanwhile' } : missing;
        request.resolve({ answer, connectionLost, unconfirmed });
      } else if (isUnknownScript(error) && !request.inFull) {
        request.inFull = true;
        again.push(request);
      } else if (isRedirection(error) && ++request.redirections < REDIRECTIONS_MAX) again.push(request);
      else request.reject(scriptFailure(error, { ended, connectionLost, what: request.what }));
    }
    const redirected = replies.find(([error]) => isRedirection(error));
    if (redirected !== undefined) await this.#followed(redirected[0]!, again[0]);
    return again;
  }

  /** A pipeline that is redirected is not sent on by ioredis: a command of its own with that key finds out where it is. */
  async #followed({ message }: Error, request: Request | undefined): Promise<void> {
    if (request === undefined) return;
    await this.#client.hget(request.keys[0]!, '@version').catch(() => undefined);
    // While a slot moves, a part of its keys is here and a part there: until it has moved.
    if (!message.startsWith('MOVED')) await delay(REDIRECTION_PAUSE_MS);
  }

  /** Once per store: a server that cannot confirm says so before anything is written. */
  async #probe(): Promise<void> {
    const replies = await this.#pipelined(
      this.#confirmations.map(({ probe: [name, ...args] }) => ['call', name, ...args]),
    );
    for (const [i, [error]] of replies.entries()) {
      if (error === null) continue;
      throw error.name === 'ReplyError'
        ? new CannotConfirmError(this.#confirmations[i]!.command[0], error)
        : error;
    }
  }

  /** An error per command, also when the pipeline as a whole fails. */
  async #pipelined(commands: string[][]): Promise<readonly Reply[]> {
    try {
      return (await this.#watch.orLoss(this.#client.pipeline(commands).exec())) ?? [];
    } catch (error) {
      return commands.map((): Reply => [error as Error, undefined]);
    }
  }

  #missing(replies: readonly Reply[]): ScriptRun['unconfirmed'] {
    for (const [i, [error, reply]] of replies.entries()) {
      const { command, missing } = this.#confirmations[i]!;
      if (error !== null) return { why: `${command[0]} failed (${error.message})`, cause: error };
      const why = missing(reply);
      if (why !== undefined) return { why };
    }
    return undefined;
  }
}

const commandOf = ({ script, keys, parameters, inFull }: Request): string[] => [
  ...(inFull ? ['eval', script.lua] : ['evalsha', script.sha]),
  String(keys.length),
  ...keys,
  ...parameters,
];

/** A cluster says that the keys are elsewhere, or not all here at the moment; nothing was carried out. */
const isRedirection = (error: Error | null): boolean =>
  error !== null && /^(?:MOVED|ASK|TRYAGAIN|CLUSTERDOWN) /.test(error.message);

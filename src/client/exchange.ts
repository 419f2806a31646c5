import {
  type Api,
  type ApiKey,
  APIS,
  decodeResponseFrame,
  encodeRequestFrame,
  FrameSplitter,
  type RequestInputByKey,
  type ResponseByKey,
} from '../wire/index.js';
import { ConnectionError } from './errors.js';

const FRAME_BYTES_MAX = 64 * 1_024 * 1_024;

interface Waiting {
  readonly key: ApiKey;
  readonly version: number;
  readonly correlationId: number;
  readonly cancelTimer: () => void;
  readonly resolve: (response: never) => void;
  readonly reject: (error: Error) => void;
}

/** What carries the bytes: a socket, or a connection of a simulated world. */
export interface Line {
  readonly send: (frame: Buffer) => void;
  /** Called once. */
  readonly end: () => void;
  /** Returns what takes it back. */
  readonly after: (ms: number, run: () => void) => () => void;
}

/**
 * Requests and answers of one connection. Requests leave at once and are answered in order; a request without an answer in
 * its time ends the connection, since whatever comes later would be in its place. Every failure is a ConnectionError.
 */
export class Exchange {
  readonly #broker: string;
  readonly #clientId: string;
  readonly #line: Line;
  readonly #splitter = new FrameSplitter(FRAME_BYTES_MAX);
  readonly #waiting: Waiting[] = [];
  #correlationId = 0;
  #failure: ConnectionError | undefined;

  /** `broker`: its name in errors. */
  constructor(broker: string, clientId: string, line: Line) {
    this.#broker = broker;
    this.#clientId = clientId;
    this.#line = line;
  }

  get isOpen(): boolean {
    return this.#failure === undefined;
  }

  request<K extends ApiKey>(
    key: K,
    version: number,
    body: RequestInputByKey[K],
    timeoutMs: number,
  ): Promise<ResponseByKey[K]> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const correlationId = (this.#correlationId = (this.#correlationId + 1) & 0x7fffffff);
    const api: Api<number, string, unknown, unknown, RequestInputByKey[K]> = APIS[key] as never;
    const frame = encodeRequestFrame(api, { version, correlationId, clientId: this.#clientId }, body);
    return new Promise((resolve, reject) => {
      const late = `no answer to ${api.name} within ${timeoutMs} ms`;
      const cancelTimer = this.#line.after(timeoutMs, () => this.fail(late));
      this.#waiting.push({ key, version, correlationId, cancelTimer, resolve, reject });
      this.#line.send(frame);
    });
  }

  /** Bytes of the broker. Throws when they are no answers; the caller ends the connection then. */
  received(bytes: Buffer): void {
    // What was under way when the connection ended answers nothing any more.
    if (!this.isOpen) return;
    for (const frame of this.#splitter.push(bytes)) this.#answer(frame);
  }

  #answer(frame: Buffer): void {
    const waiting = this.#waiting.shift();
    if (waiting === undefined) throw new Error('an answer that nobody asked for');
    waiting.cancelTimer();
    try {
      const { correlationId, response } = decodeResponseFrame(
        APIS[waiting.key] as Api,
        waiting.version,
        frame,
      );
      if (correlationId !== waiting.correlationId)
        throw new Error(`answer ${correlationId} in the place of ${waiting.correlationId}`);
      waiting.resolve(response as never);
    } catch (error) {
      waiting.reject(new ConnectionError(this.#broker, (error as Error).message));
      throw error;
    }
  }

  /** Ends the connection; what waits for an answer is rejected. */
  fail(why: string): void {
    if (this.#failure !== undefined) return;
    this.#failure = new ConnectionError(this.#broker, why);
    this.#line.end();
    for (const { cancelTimer, reject } of this.#waiting.splice(0)) {
      cancelTimer();
      reject(this.#failure);
    }
  }
}

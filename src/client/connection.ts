import { connect, type Socket } from 'node:net';
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
import { type Address, addressText } from '../kernel/index.js';
import { ConnectionError } from './errors.js';

const FRAME_BYTES_MAX = 64 * 1_024 * 1_024;
/** What an HTTP server answers to bytes of Kafka. Read as a length it is out of any bound. */
const HTTP = Buffer.from('HTTP');

interface Waiting {
  readonly key: ApiKey;
  readonly version: number;
  readonly correlationId: number;
  readonly timer: NodeJS.Timeout;
  readonly resolve: (response: never) => void;
  readonly reject: (error: Error) => void;
}

/**
 * One connection to a broker. Requests leave at once and are answered in order; a request without an answer in its time
 * ends the connection, since whatever comes later would be in its place. Every failure is a ConnectionError.
 */
export class Connection {
  readonly address: Address;
  readonly #socket: Socket;
  readonly #clientId: string;
  readonly #splitter = new FrameSplitter(FRAME_BYTES_MAX);
  readonly #waiting: Waiting[] = [];
  #correlationId = 0;
  #failure: ConnectionError | undefined;

  private constructor(socket: Socket, address: Address, clientId: string) {
    this.#socket = socket;
    this.address = address;
    this.#clientId = clientId;
    socket.setNoDelay(true);
    socket.on('data', (chunk) => this.#receive(chunk));
    socket.on('error', (error) => this.#fail(error.message));
    socket.on('close', () => this.#fail('the connection was closed'));
  }

  /** Rejects with ConnectionError. */
  static open(address: Address, clientId: string, timeoutMs: number): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const socket = connect(address.port, address.host);
      const failed = (why: string): void => {
        clearTimeout(timer);
        socket.destroy();
        reject(new ConnectionError(addressText(address), why));
      };
      const timer = setTimeout(() => failed(`no connection within ${timeoutMs} ms`), timeoutMs);
      const onError = ({ message, code }: NodeJS.ErrnoException): void =>
        failed(message || String(code ?? 'failed'));
      socket.once('error', onError);
      socket.once('connect', () => {
        clearTimeout(timer);
        socket.off('error', onError);
        resolve(new Connection(socket, address, clientId));
      });
    });
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
      const timer = setTimeout(
        () => this.#fail(`no answer to ${api.name} within ${timeoutMs} ms`),
        timeoutMs,
      );
      this.#waiting.push({ key, version, correlationId, timer, resolve, reject });
      this.#socket.write(frame);
    });
  }

  close(): void {
    this.#fail('closed here');
  }

  #receive(chunk: Buffer): void {
    try {
      for (const frame of this.#splitter.push(chunk)) this.#answer(frame);
    } catch (error) {
      const isHttp = chunk.subarray(0, HTTP.length).equals(HTTP);
      this.#fail(isHttp ? 'an HTTP server answers there, no broker' : (error as Error).message);
    }
  }

  #answer(frame: Buffer): void {
    const waiting = this.#waiting.shift();
    if (waiting === undefined) throw new Error('an answer that nobody asked for');
    clearTimeout(waiting.timer);
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
      waiting.reject(new ConnectionError(addressText(this.address), (error as Error).message));
      throw error;
    }
  }

  #fail(why: string): void {
    this.#failure ??= new ConnectionError(addressText(this.address), why);
    this.#socket.destroy();
    for (const { timer, reject } of this.#waiting.splice(0)) {
      clearTimeout(timer);
      reject(this.#failure);
    }
  }
}

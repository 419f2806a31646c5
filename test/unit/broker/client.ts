import { connect, type Socket } from 'node:net';
import {
  type ApiKey,
  type Api,
  APIS,
  decodeResponseFrame,
  encodeRequestFrame,
  FrameSplitter,
  type RequestInputByKey,
  type ResponseByKey,
} from '../../../src/wire/index.js';

interface Awaited {
  readonly api: Api;
  readonly version: number;
  readonly resolve: (response: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** A Kafka client of one connection: as raw as it gets, and strict about the order of answers. */
export class TestClient {
  /** Correlation ids of answers, in the order they came. */
  readonly order: number[] = [];
  chunks = 0;
  readonly closed: Promise<void>;
  readonly #splitter = new FrameSplitter(0x7fff_ffff);
  readonly #awaited = new Map<number, Awaited>();
  #correlation = 0;
  #gone = false;

  private constructor(readonly socket: Socket) {
    socket.on('data', (chunk: Buffer) => {
      this.chunks++;
      for (const frame of this.#splitter.push(chunk)) this.#answer(frame);
    });
    socket.on('error', () => undefined);
    this.closed = new Promise((resolve) =>
      socket.on('close', () => {
        this.#gone = true;
        for (const { reject } of this.#awaited.values()) reject(new Error('connection closed'));
        this.#awaited.clear();
        resolve();
      }),
    );
  }

  static open(port: number): Promise<TestClient> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host: '127.0.0.1', port, noDelay: true });
      socket.once('error', reject);
      socket.once('connect', () => resolve(new TestClient(socket)));
    });
  }

  get isClosed(): boolean {
    return this.#gone;
  }
  get lastCorrelationId(): number {
    return this.#correlation;
  }

  #answer(frame: Buffer): void {
    const id = frame.readInt32BE(0);
    const awaited = this.#awaited.get(id);
    if (awaited === undefined) throw new Error(`an answer to nothing: ${id}`);
    this.#awaited.delete(id);
    this.order.push(id);
    awaited.resolve(decodeResponseFrame(awaited.api, awaited.version, frame).response);
  }

  frame<K extends ApiKey>(
    key: K,
    version: number,
    request: RequestInputByKey[K],
    clientId = 'tester',
  ): Buffer {
    const correlationId = ++this.#correlation;
    return encodeRequestFrame(APIS[key] as Api, { version, correlationId, clientId }, request);
  }
  send(bytes: Buffer): void {
    this.socket.write(bytes);
  }
  /** `answerVersion`: in which version the answer is to be read, when it is not that of the request. */
  call<K extends ApiKey>(
    key: K,
    version: number,
    request: RequestInputByKey[K],
    answerVersion = version,
  ): Promise<ResponseByKey[K]> {
    const frame = this.frame(key, version, request);
    return new Promise((resolve, reject) => {
      this.#awaited.set(this.#correlation, {
        api: APIS[key],
        version: answerVersion,
        resolve: resolve as (response: unknown) => void,
        reject,
      });
      this.send(frame);
    });
  }
  /** True when no answer came although the broker had every chance to send one. */
  async silent(answer: Promise<unknown>): Promise<boolean> {
    let settled = false;
    answer.then(
      () => (settled = true),
      () => (settled = true),
    );
    await turns(20);
    return !settled;
  }
  close(): Promise<void> {
    this.socket.destroy();
    return this.closed;
  }
}

/** Lets the event loop, sockets included, go round. */
export async function turns(count = 10): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resume) => setImmediate(resume));
}
/** Lets the loop go round until it holds; the test's own timeout is the limit. */
export async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await turns(1);
}

import { type Carrier, ConnectionError } from '../client/index.js';
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
import { BrokerEnd, type BrokerPort } from './kafka-client.js';
import type { StoppableTime } from './stoppable-time.js';
import type { VirtualTime } from './virtual-time.js';

/** The port that clients are told of the first replica is one above. */
export const KAFKA_PORT = 9_000;
const CONNECTS_IN_MS = 0.5;

interface Waiting {
  readonly key: ApiKey;
  readonly version: number;
  readonly giveUp: () => void;
  readonly resolve: (response: never) => void;
  readonly reject: (error: Error) => void;
}

interface Line {
  /** Of the world. */
  readonly time: VirtualTime;
  /** Of the client. */
  readonly own: StoppableTime;
  /** The brokers that can be reached now. */
  readonly brokers: () => readonly BrokerPort[];
}

/** What the client room has of a connection, over one of the simulated world: answers in order, and an end with the first that is late. */
class SimulatedCarrier implements Carrier {
  readonly address: Carrier['address'];
  readonly #own: StoppableTime;
  readonly #end: BrokerEnd;
  readonly #clientId: string;
  readonly #splitter = new FrameSplitter(1 << 24);
  readonly #waiting: Waiting[] = [];
  #correlationId = 0;
  #failure: ConnectionError | undefined;

  constructor({ time, own }: Line, port: BrokerPort, address: Carrier['address'], clientId: string) {
    this.address = address;
    this.#own = own;
    this.#clientId = clientId;
    const name = `${clientId} ${time.now}`;
    this.#end = new BrokerEnd(port, time, name, (bytes) => own.inProcess(() => this.#heard(bytes)));
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
    const correlationId = ++this.#correlationId;
    const frame = Buffer.from(
      encodeRequestFrame(APIS[key] as Api, { version, correlationId, clientId: this.#clientId }, body),
    );
    return new Promise((resolve, reject) => {
      const giveUp = this.#own.after(timeoutMs, () => this.#fail(`no answer within ${timeoutMs} ms`));
      this.#waiting.push({ key, version, giveUp, resolve, reject });
      this.#toBroker(() => this.#end.arrive(frame));
    });
  }

  close(): void {
    this.#fail('closed here');
  }

  #toBroker(run: () => void): void {
    this.#end.later(run, CONNECTS_IN_MS / 2);
  }

  #heard(bytes: Buffer | undefined): void {
    if (bytes === undefined) return this.#fail('the connection was closed');
    for (const frame of this.#splitter.push(bytes)) {
      const waiting = this.#waiting.shift();
      if (waiting === undefined) continue;
      waiting.giveUp();
      const { response } = decodeResponseFrame(APIS[waiting.key] as Api, waiting.version, Buffer.from(frame));
      waiting.resolve(response as never);
    }
  }

  #fail(why: string): void {
    if (this.#failure !== undefined) return;
    this.#failure = new ConnectionError(`simulated:${this.address.port}`, why);
    this.#toBroker(() => this.#end.left());
    for (const { giveUp, reject } of this.#waiting.splice(0)) {
      giveUp();
      reject(this.#failure);
    }
  }
}

/** Connects a client of the client room to the brokers of a world. */
export function connectsTo(line: Line) {
  return (address: Carrier['address'], clientId: string): Promise<Carrier> =>
    new Promise((resolve, reject) => {
      line.own.after(CONNECTS_IN_MS, () => {
        const port = line.brokers().find(({ id }) => KAFKA_PORT + id === address.port);
        if (port === undefined) reject(new ConnectionError(`simulated:${address.port}`, 'refused'));
        else resolve(new SimulatedCarrier(line, port, address, clientId));
      });
    });
}

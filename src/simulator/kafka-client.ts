import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import type { Random, ReplicaId } from '../kernel/index.js';
import {
  type Api,
  type ApiKey,
  APIS,
  decodeResponseFrame,
  encodeRequestFrame,
  errorByCode,
  FrameSplitter,
  type RequestInputByKey,
  type ResponseByKey,
} from '../wire/index.js';
import type { VirtualTime } from './virtual-time.js';

/** One way between a client and a broker. Milliseconds. */
const DELAY_MS = 0.2;

/** Where the broker of one process takes connections. */
export interface BrokerPort {
  readonly id: ReplicaId;
  readonly alive: boolean;
  /** Undefined while it does not listen. */
  readonly accept: ((socket: Socket) => void) | undefined;
  /** Runs in the process, if it lives then; what comes from one source in order. */
  inProcess(run: () => void, source: string): void;
  /** False once the process is dead. */
  mayAct(what: string): boolean;
  /** Tells the other end of a connection that the process has ended. */
  onEnd(tell: () => void): void;
}

/** The broker's end of a connection: in order, whole, and broken when either end goes. */
export class BrokerEnd extends EventEmitter {
  readonly writableLength = 0;
  readonly remoteAddress = '10.0.0.1';
  readonly remotePort = 50_000;
  readonly #port: BrokerPort;
  readonly #time: VirtualTime;
  readonly #name: string;
  readonly #toClient: (bytes: Buffer | undefined) => void;
  #held: Buffer[] | undefined;
  #broken = false;

  /** `toClient` gets what the broker writes, and undefined when the connection has ended. `name`: of this connection. */
  constructor(
    port: BrokerPort,
    time: VirtualTime,
    name: string,
    toClient: (bytes: Buffer | undefined) => void,
  ) {
    super();
    this.#port = port;
    this.#time = time;
    this.#name = name;
    this.#toClient = toClient;
    port.onEnd(() => this.destroy());
    // The broker uses of a socket what a BrokerEnd has.
    this.later(() => port.accept?.(this as unknown as Socket));
  }

  /** Something that the client does reaches the broker. */
  later(run: () => void, delayMs = DELAY_MS): void {
    this.#time.after(delayMs, () => this.#port.inProcess(run, this.#name));
  }

  /** Bytes of the client arrive. */
  arrive(bytes: Buffer): void {
    if (this.#broken) return;
    if (this.#held !== undefined) this.#held.push(bytes);
    else this.emit('data', bytes);
  }
  /** The client has gone. */
  left(): void {
    if (!this.#broken) this.emit('end');
  }

  write(bytes: Uint8Array): boolean {
    if (this.#broken || !this.#port.mayAct('answer')) return false;
    const copy = Buffer.from(bytes);
    this.#time.after(DELAY_MS, () => this.#toClient(copy));
    return true;
  }
  pause(): void {
    this.#held ??= [];
  }
  resume(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const bytes of held) this.#port.inProcess(() => this.arrive(bytes), this.#name);
  }
  destroy(): void {
    if (this.#broken) return;
    this.#broken = true;
    this.#time.after(DELAY_MS, () => this.#toClient(undefined));
  }
}

interface Awaited {
  readonly api: Api;
  readonly version: number;
  readonly end: (response: unknown) => void;
}

interface Connection {
  readonly port: BrokerPort;
  readonly socket: BrokerEnd;
  readonly splitter: FrameSplitter;
  readonly awaited: Map<number, Awaited>;
}

interface KafkaClientSurroundings {
  readonly time: VirtualTime;
  readonly random: Random;
  readonly brokers: () => readonly BrokerPort[];
  readonly anyBroker: () => readonly BrokerPort[];
}

/** A client of the Kafka protocol: frames of bytes, one connection at a time, and the coordinator looked up as clients do. */
export class KafkaClient {
  readonly #time: VirtualTime;
  readonly #random: Random;
  readonly #name: string;
  /** The brokers that a client can reach now. */
  readonly #brokers: () => readonly BrokerPort[];
  /** Those that it asks when it does not know whom to ask. */
  readonly #anyOf: () => readonly BrokerPort[];
  #connection: Connection | undefined;
  #connections = 0;
  #correlation = 0;
  #coordinator: ReplicaId | undefined;

  constructor(name: string, { time, random, brokers, anyBroker }: KafkaClientSurroundings) {
    this.#time = time;
    this.#random = random;
    this.#name = name;
    this.#brokers = brokers;
    this.#anyOf = anyBroker;
  }

  /** The coordinator is another one by now, or cannot be reached. */
  forgetCoordinator(): void {
    this.#coordinator = undefined;
  }

  /** At the coordinator of a group. `end` gets the answer once; undefined when none will come. */
  askCoordinator<K extends ApiKey>(
    group: string,
    [key, version, request]: readonly [K, number, RequestInputByKey[K]],
    end: (response: ResponseByKey[K] | undefined) => void,
  ): void {
    const known = this.#brokers().find(({ id }) => id === this.#coordinator);
    if (known !== undefined) return this.#ask(known, key, version, request, end);
    this.askAny([10, 4, { coordinatorKeys: [group] }], (found) => {
      const coordinator = found?.coordinators[0];
      this.#coordinator = undefined;
      if (coordinator?.errorCode !== 0) return end(undefined);
      const port = this.#brokers().find(({ id }) => id === coordinator.nodeId);
      if (port === undefined) return end(undefined);
      this.#coordinator = port.id;
      this.#ask(port, key, version, request, end);
    });
  }

  /** At any broker. */
  askAny<K extends ApiKey>(
    [key, version, request]: readonly [K, number, RequestInputByKey[K]],
    end: (response: ResponseByKey[K] | undefined) => void,
  ): void {
    const brokers = this.#anyOf();
    if (brokers.length === 0) return void this.#time.after(DELAY_MS, () => end(undefined));
    this.#ask(this.#random.pick(brokers), key, version, request, end);
  }

  /** The connection ends without a word. */
  leave(): void {
    const connection = this.#connection;
    this.#connection = undefined;
    if (connection === undefined) return;
    connection.socket.later(() => connection.socket.left());
    this.#unanswered(connection);
  }

  #ask<K extends ApiKey>(
    port: BrokerPort,
    key: K,
    version: number,
    request: RequestInputByKey[K],
    end: (response: ResponseByKey[K] | undefined) => void,
  ): void {
    const connection = this.#connectionTo(port);
    const correlationId = ++this.#correlation;
    const frame = encodeRequestFrame(
      APIS[key] as Api,
      { version, correlationId, clientId: this.#name },
      request,
    );
    connection.awaited.set(correlationId, { api: APIS[key], version, end: end as Awaited['end'] });
    connection.socket.later(() => connection.socket.arrive(Buffer.from(frame)));
  }

  #connectionTo(port: BrokerPort): Connection {
    if (this.#connection?.port === port) return this.#connection;
    this.leave();
    const name = `${this.#name} ${++this.#connections}`;
    const socket = new BrokerEnd(port, this.#time, name, (bytes) => this.#heard(connection, bytes));
    const connection: Connection = { port, socket, splitter: new FrameSplitter(1 << 24), awaited: new Map() };
    this.#connection = connection;
    return connection;
  }

  #heard(connection: Connection, bytes: Buffer | undefined): void {
    if (bytes === undefined) {
      if (this.#connection === connection) this.#connection = undefined;
      return this.#unanswered(connection);
    }
    for (const frame of connection.splitter.push(bytes)) {
      const awaited = connection.awaited.get(frame.readInt32BE(0));
      if (awaited === undefined) continue;
      connection.awaited.delete(frame.readInt32BE(0));
      awaited.end(decodeResponseFrame(awaited.api, awaited.version, Buffer.from(frame)).response);
    }
  }

  #unanswered({ awaited }: Connection): void {
    for (const [correlationId, { end }] of [...awaited]) {
      awaited.delete(correlationId);
      end(undefined);
    }
  }
}

/** The name of an error code; undefined where no answer came, or one that says to ask elsewhere or again. */
export function errorNamed(code: number | undefined): string | undefined {
  if (code === undefined) return undefined;
  const name = code === 0 ? 'NONE' : (errorByCode(code)?.name ?? String(code));
  return ELSEWHERE.has(name) ? undefined : name;
}
const ELSEWHERE: ReadonlySet<string> = new Set([
  'NOT_COORDINATOR',
  'COORDINATOR_NOT_AVAILABLE',
  'COORDINATOR_LOAD_IN_PROGRESS',
  'UNKNOWN_TOPIC_OR_PARTITION',
]);

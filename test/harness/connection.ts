import { connect, type Socket } from 'node:net';
import {
  type ApiKey,
  APIS,
  decodeResponseFrame,
  encodeRequestFrame,
  FrameSplitter,
  type RequestInputByKey,
  type ResponseByKey,
} from '../../src/wire/index.js';
import type { Api } from '../../src/wire/index.js';

export interface Address {
  readonly host: string;
  readonly port: number;
}
export const addressText = ({ host, port }: Address): string => `${host}:${port}`;
export function parseAddress(text: string): Address {
  const colon = text.lastIndexOf(':');
  return { host: text.slice(0, colon), port: Number(text.slice(colon + 1)) };
}

const FRAME_BYTES_MAX = 256 * 1_024 * 1_024;

interface Waiting {
  readonly key: ApiKey;
  readonly version: number;
  readonly correlationId: number;
  readonly resolve: (response: never) => void;
  readonly reject: (error: Error) => void;
}

/**
 * One Kafka connection on our own codecs, without any policy: requests go out at once, and an answer out of order is an
 * error. Whoever uses it decides what a lost connection means.
 */
export class KafkaConnection {
  readonly address: Address;
  readonly #socket: Socket;
  readonly #splitter = new FrameSplitter(FRAME_BYTES_MAX);
  readonly #waiting: Waiting[] = [];
  readonly #clientId: string;
  #nextCorrelationId = 1;
  #failure: Error | null = null;

  private constructor(socket: Socket, address: Address, clientId: string) {
    this.address = address;
    this.#socket = socket;
    this.#clientId = clientId;
    socket.setNoDelay(true);
    socket.on('data', (chunk) => this.#receive(chunk));
    socket.on('error', (error) => this.#fail(error));
    socket.on('close', () => this.#fail(new Error(`${addressText(address)} closed the connection`)));
  }

  static open(address: Address, clientId = 'quorate-test', timeoutMs = 5_000): Promise<KafkaConnection> {
    return new Promise((resolve, reject) => {
      const socket = connect(address.port, address.host);
      const timer = setTimeout(() => socket.destroy(new Error('connect timed out')), timeoutMs);
      socket.once('error', reject);
      socket.once('close', () => clearTimeout(timer));
      socket.once('connect', () => {
        clearTimeout(timer);
        socket.off('error', reject);
        resolve(new KafkaConnection(socket, address, clientId));
      });
    });
  }

  get isOpen(): boolean {
    return this.#failure === null;
  }

  request<K extends ApiKey>(key: K, version: number, body: RequestInputByKey[K]): Promise<ResponseByKey[K]> {
    if (this.#failure !== null) return Promise.reject(this.#failure);
    const correlationId = this.#nextCorrelationId++;
    const api: Api<number, string, unknown, unknown, RequestInputByKey[K]> = APIS[key] as never;
    const frame = encodeRequestFrame(api, { version, correlationId, clientId: this.#clientId }, body);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ key, version, correlationId, resolve, reject });
      this.#socket.write(frame);
    });
  }

  close(): void {
    this.#socket.destroy();
    this.#fail(new Error('closed by the test'));
  }

  #receive(chunk: Buffer): void {
    try {
      for (const frame of this.#splitter.push(chunk)) {
        const waiting = this.#waiting.shift();
        if (waiting === undefined) throw new Error('an answer that nobody asked for');
        const api: Api = APIS[waiting.key];
        const { correlationId, response } = decodeResponseFrame(api, waiting.version, frame);
        if (correlationId !== waiting.correlationId) {
          throw new Error(`answer ${correlationId} where ${waiting.correlationId} was next`);
        }
        waiting.resolve(response as never);
      }
    } catch (error) {
      this.#socket.destroy();
      this.#fail(error as Error);
    }
  }
  #fail(error: Error): void {
    this.#failure ??= error;
    for (const waiting of this.#waiting.splice(0)) waiting.reject(this.#failure);
  }
}

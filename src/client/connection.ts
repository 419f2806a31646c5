import { connect, type Socket } from 'node:net';
import type { ApiKey, RequestInputByKey, ResponseByKey } from '../wire/index.js';
import { type Address, addressText } from '../kernel/index.js';
import { ConnectionError } from './errors.js';
import { Exchange } from './exchange.js';

/** What an HTTP server answers to bytes of Kafka. Read as a length it is out of any bound. */
const HTTP = Buffer.from('HTTP');

/** One connection to a broker, over a socket. Every failure is a ConnectionError. */
export class Connection {
  readonly address: Address;
  readonly #exchange: Exchange;

  private constructor(socket: Socket, address: Address, clientId: string) {
    this.address = address;
    this.#exchange = new Exchange(addressText(address), clientId, {
      send: (frame) => void socket.write(frame),
      end: () => void socket.destroy(),
      after: (ms, run) => {
        const timer = setTimeout(run, ms);
        return () => clearTimeout(timer);
      },
    });
    socket.setNoDelay(true);
    socket.on('data', (chunk) => this.#receive(chunk));
    socket.on('error', (error) => this.#exchange.fail(error.message));
    socket.on('close', () => this.#exchange.fail('the connection was closed'));
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
    return this.#exchange.isOpen;
  }

  request<K extends ApiKey>(
    key: K,
    version: number,
    body: RequestInputByKey[K],
    timeoutMs: number,
  ): Promise<ResponseByKey[K]> {
    return this.#exchange.request(key, version, body, timeoutMs);
  }

  close(): void {
    this.#exchange.fail('closed here');
  }

  #receive(chunk: Buffer): void {
    try {
      this.#exchange.received(chunk);
    } catch (error) {
      const isHttp = chunk.subarray(0, HTTP.length).equals(HTTP);
      this.#exchange.fail(isHttp ? 'an HTTP server answers there, no broker' : (error as Error).message);
    }
  }
}

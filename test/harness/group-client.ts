import type { ApiKey, RequestInputByKey, ResponseByKey } from '../../src/wire/index.js';
import { type Address, KafkaConnection } from './connection.js';
import { sleep } from './waiting.js';

const COORDINATOR_LOAD_IN_PROGRESS = 14;
const COORDINATOR_NOT_AVAILABLE = 15;
const NOT_COORDINATOR = 16;
/** The answers after which a client looks its coordinator up again and asks the same once more. */
export const isCoordinatorMoved = (code: number): boolean =>
  code === COORDINATOR_LOAD_IN_PROGRESS || code === COORDINATOR_NOT_AVAILABLE || code === NOT_COORDINATOR;

const RETRY_MS = 10;

/** A group client that never gives up before its deadline: reconnects and finds the coordinator anew every 10 ms. */
export class GroupClient {
  readonly group: string;
  readonly #bootstrap: readonly Address[];
  readonly #clientId: string;
  /** No request may wait longer than this on one connection: a paused replica keeps its sockets open. */
  readonly #requestTimeoutMs: number;
  #connection: KafkaConnection | null = null;
  #next = 0;
  #closed = false;

  constructor(options: {
    readonly bootstrap: readonly Address[];
    readonly group: string;
    readonly clientId?: string;
    readonly requestTimeoutMs?: number;
  }) {
    this.group = options.group;
    this.#bootstrap = options.bootstrap;
    this.#clientId = options.clientId ?? 'quorate-test';
    this.#requestTimeoutMs = options.requestTimeoutMs ?? 1_000;
  }

  /**
   * The answer of the coordinator. `code` picks the error by which a moved coordinator shows.
   * `attemptTimeoutMs`: how long one attempt may be parked (a join takes up to its rebalance timeout).
   */
  async ask<K extends ApiKey>(
    key: K,
    version: number,
    body: RequestInputByKey[K],
    code: (response: ResponseByKey[K]) => number,
    options: { readonly withinMs?: number; readonly attemptTimeoutMs?: number } = {},
  ): Promise<ResponseByKey[K]> {
    const end = performance.now() + (options.withinMs ?? 15_000);
    let last = 'nothing tried';
    while (!this.#closed) {
      try {
        const connection = await this.connection();
        const response = await this.#bounded(
          connection,
          connection.request(key, version, body),
          options.attemptTimeoutMs ?? this.#requestTimeoutMs,
        );
        if (!isCoordinatorMoved(code(response))) return response;
        last = `error ${code(response)}`;
      } catch (error) {
        last = (error as Error).message;
      }
      this.disconnect();
      if (performance.now() > end) throw new Error(`no answer for ${this.group} (API ${key}): ${last}`);
      await sleep(RETRY_MS);
    }
    throw new Error('closed');
  }

  /** The open connection to the coordinator, or a new one. */
  async connection(): Promise<KafkaConnection> {
    if (this.#connection?.isOpen === true) return this.#connection;
    const coordinator = await this.find();
    return (this.#connection = await KafkaConnection.open(coordinator.address, this.#clientId, 500));
  }

  /** One attempt, at the next bootstrap address. @throws Error when nobody is the coordinator now. */
  async find(): Promise<{ readonly nodeId: number; readonly address: Address }> {
    const seed = this.#bootstrap[this.#next++ % this.#bootstrap.length];
    if (seed === undefined) throw new Error('no bootstrap address');
    const connection = await KafkaConnection.open(seed, this.#clientId, 500);
    try {
      const asked = connection.request(10, 2, { key: this.group, keyType: 0 });
      const found = await this.#bounded(connection, asked, this.#requestTimeoutMs);
      if (found.errorCode !== 0) throw new Error(`FindCoordinator says ${found.errorCode}`);
      return { nodeId: found.nodeId, address: { host: found.host, port: found.port } };
    } finally {
      connection.close();
    }
  }

  disconnect(): void {
    this.#connection?.close();
    this.#connection = null;
  }
  close(): void {
    this.#closed = true;
    this.disconnect();
  }

  async #bounded<T>(connection: KafkaConnection, answer: Promise<T>, ms: number): Promise<T> {
    const timer = setTimeout(() => connection.close(), ms);
    try {
      return await answer;
    } finally {
      clearTimeout(timer);
    }
  }
}

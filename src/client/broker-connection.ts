import { type ApiKey, APIS, errorCode, type RequestInputByKey, type ResponseByKey } from '../wire/index.js';
import { type Address, addressText } from '../kernel/index.js';
import { Connection } from './connection.js';
import { BrokerError, ConnectionError } from './errors.js';

/** What carries requests to a broker: a Connection, or what stands in for one. */
export type Carrier = Pick<Connection, 'address' | 'isOpen' | 'request' | 'close'>;

export interface ConnectionOptions {
  readonly clientId: string;
  readonly connectTimeoutMs: number;
  readonly requestTimeoutMs: number;
  /** In place of TCP. Rejects with ConnectionError. */
  readonly connect?:
    ((address: Address, clientId: string, timeoutMs: number) => Promise<Carrier>) | undefined;
}

interface Range {
  readonly min: number;
  readonly max: number;
}

/**
 * The versions that are sent where the broker has them. No higher than what is needed: each is the first that has the fields used
 * here, so that a request means the same at every broker.
 */
const WANTED = { 3: 9, 8: 8, 9: 7, 10: 3, 11: 8, 12: 4, 13: 5, 14: 5, 19: 5 } as const satisfies Partial<
  Record<ApiKey, number>
>;
type SentKey = keyof typeof WANTED;
const API_VERSIONS = 18;

/** A connection that knows which versions its broker speaks. */
export class BrokerConnection {
  readonly #connection: Carrier;
  readonly #versions: ReadonlyMap<number, Range>;
  readonly #requestTimeoutMs: number;

  private constructor(connection: Carrier, versions: ReadonlyMap<number, Range>, requestTimeoutMs: number) {
    this.#connection = connection;
    this.#versions = versions;
    this.#requestTimeoutMs = requestTimeoutMs;
  }

  /** Rejects with ConnectionError or BrokerError. */
  static async open(address: Address, options: ConnectionOptions): Promise<BrokerConnection> {
    const { clientId, connectTimeoutMs, requestTimeoutMs } = options;
    const connect = options.connect ?? ((...to) => Connection.open(...to));
    const connection = await connect(address, clientId, connectTimeoutMs);
    try {
      const about = { clientSoftwareName: 'quorate-worker', clientSoftwareVersion: '1' };
      const said = await connection.request(API_VERSIONS, 3, about, requestTimeoutMs);
      if (said.errorCode !== errorCode('NONE')) throw new BrokerError('ApiVersions', said.errorCode);
      const ranges = said.apiKeys.map(
        ({ apiKey, minVersion: min, maxVersion: max }) => [apiKey, { min, max }] as const,
      );
      return new BrokerConnection(connection, new Map(ranges), requestTimeoutMs);
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  get address(): Address {
    return this.#connection.address;
  }
  get isOpen(): boolean {
    return this.#connection.isOpen;
  }

  /** Rejects with ConnectionError. `timeoutMs`: longer than the usual for requests that are parked. */
  request<K extends SentKey>(
    key: K,
    body: RequestInputByKey[K],
    timeoutMs = this.#requestTimeoutMs,
  ): Promise<ResponseByKey[K]> {
    const range = this.#versions.get(key);
    const version = Math.min(WANTED[key], range?.max ?? -1);
    if (range === undefined || version < range.min || !APIS[key].supports(version))
      return Promise.reject(
        new ConnectionError(
          addressText(this.address),
          `it speaks ${APIS[key].name} in other versions than this client`,
        ),
      );
    return this.#connection.request(key, version, body, timeoutMs);
  }

  close(): void {
    this.#connection.close();
  }
}

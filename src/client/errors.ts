import { errorByCode } from '../wire/index.js';

/** Nothing was answered: the request may or may not have been carried out. */
export class ConnectionError extends Error {
  override readonly name = 'ConnectionError';
  constructor(
    readonly address: string,
    readonly why: string,
  ) {
    super(`${address}: ${why}`);
  }
}

/** The answer of a broker was an error of Kafka's table. */
export class BrokerError extends Error {
  override readonly name = 'BrokerError';
  constructor(
    readonly request: string,
    /** Kafka's number. */
    readonly errorCode: number,
  ) {
    super(`${request} was answered with ${errorByCode(errorCode)?.name ?? `error ${errorCode}`}`);
  }
}

import { API_KEYS, type ApiKey, APIS, errorByCode } from '../wire/index.js';
import type { Refusal } from '../replica/index.js';
import type { ParkedKind } from './parked.js';

/** Why a connection ended. All but the first three are worth a line in the log. */
export type CloseCause =
  | 'client'
  | 'socket-error'
  | 'stopping'
  | 'idle'
  | 'too-many-connections'
  | 'malformed'
  | 'unsupported'
  | 'not-reading'
  | 'refused-silently'
  | 'defect';

/** What has happened since the broker started; `snapshot` is a copy for status and metrics. */
export interface BrokerCounters {
  /** By the name of the API. */
  readonly requests: Readonly<Record<string, number>>;
  readonly refusals: Readonly<Record<Refusal['kind'], number>>;
  /** Answers with an error that left, by the name of the API and of the error. */
  readonly errors: Readonly<Record<string, Readonly<Record<string, number>>>>;
  /** Answers that waited for a round to the other replicas, because the lease had run out when they were to leave. */
  readonly leaseLost: number;
  readonly connectionsOpen: number;
  readonly connectionsOpened: number;
  readonly connectionsClosed: Readonly<Record<CloseCause, number>>;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly writes: number;
  readonly parked: Readonly<Record<ParkedKind, number>>;
  /** Connections with a request that waits for time on the loop. */
  readonly starved: number;
  /** Requests under way, and answers that clients have not taken. */
  readonly requestBytes: number;
  readonly answerBytes: number;
}

/** What the counters themselves hold. */
type Counted = Omit<
  BrokerCounters,
  'connectionsOpen' | 'parked' | 'starved' | 'requestBytes' | 'answerBytes'
>;

export class Counters {
  readonly #requests = new Float64Array(Math.max(...API_KEYS) + 1);
  readonly #refusals: Record<Refusal['kind'], number> = {
    'not-leader': 0,
    overloaded: 0,
    'outcome-unknown': 0,
  };
  /** By API key and error code. */
  readonly #errors = new Map<number, number>();
  readonly #closed: Record<CloseCause, number> = {
    client: 0,
    'socket-error': 0,
    stopping: 0,
    idle: 0,
    'too-many-connections': 0,
    malformed: 0,
    unsupported: 0,
    'not-reading': 0,
    'refused-silently': 0,
    defect: 0,
  };
  leaseLost = 0;
  connectionsOpened = 0;
  bytesIn = 0;
  bytesOut = 0;
  writes = 0;

  request(key: ApiKey): void {
    this.#requests[key] = this.#requests[key]! + 1;
  }
  refusal(kind: Refusal['kind']): void {
    this.#refusals[kind]++;
  }
  errorAnswer(key: ApiKey, code: number): void {
    const counted = (key << 16) | (code & 0xffff);
    this.#errors.set(counted, (this.#errors.get(counted) ?? 0) + 1);
  }
  closed(cause: CloseCause): void {
    this.#closed[cause]++;
  }

  snapshot(now: Omit<BrokerCounters, keyof Counted>): BrokerCounters {
    const requests = Object.fromEntries(API_KEYS.map((key) => [APIS[key].name, this.#requests[key]!]));
    const { leaseLost, connectionsOpened, bytesIn, bytesOut, writes } = this;
    return {
      requests,
      refusals: { ...this.#refusals },
      errors: this.#errorsByName(),
      leaseLost,
      connectionsOpened,
      connectionsClosed: { ...this.#closed },
      bytesIn,
      bytesOut,
      writes,
      ...now,
    };
  }

  #errorsByName(): BrokerCounters['errors'] {
    const byName: Record<string, Record<string, number>> = {};
    for (const [counted, count] of this.#errors) {
      const { name } = APIS[(counted >> 16) as ApiKey];
      const code = (counted << 16) >> 16;
      (byName[name] ??= {})[errorByCode(code)?.name ?? String(code)] = count;
    }
    return byName;
  }
}

import { API_KEYS, type ApiKey, APIS } from '../wire/index.js';
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
  /** Answers that turned into NOT_COORDINATOR because the lease had run out when they were to leave. */
  readonly leaseLost: number;
  readonly connectionsOpen: number;
  readonly connectionsOpened: number;
  readonly connectionsClosed: Readonly<Record<CloseCause, number>>;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly writes: number;
  readonly parked: Readonly<Record<ParkedKind, number>>;
}

export class Counters {
  readonly #requests = new Float64Array(Math.max(...API_KEYS) + 1);
  readonly #refusals: Record<Refusal['kind'], number> = {
    'not-leader': 0,
    overloaded: 0,
    'outcome-unknown': 0,
  };
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
  closed(cause: CloseCause): void {
    this.#closed[cause]++;
  }

  snapshot(now: Pick<BrokerCounters, 'connectionsOpen' | 'parked'>): BrokerCounters {
    const requests = Object.fromEntries(API_KEYS.map((key) => [APIS[key].name, this.#requests[key]!]));
    const { leaseLost, connectionsOpened, bytesIn, bytesOut, writes } = this;
    return {
      requests,
      refusals: { ...this.#refusals },
      leaseLost,
      connectionsOpened,
      connectionsClosed: { ...this.#closed },
      bytesIn,
      bytesOut,
      writes,
      ...now,
    };
  }
}

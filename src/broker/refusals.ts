import type { Refusal } from '../replica/index.js';
import { type ErrorCode, errorCode, type ErrorName } from '../wire/index.js';

/** Requests that clients retry alike. */
export type RequestClass = 'membership' | 'heartbeat' | 'commit' | 'read' | 'topics';

/**
 * What a client is told when the replica did not do what it asked, by what its retry looks like:
 *
 * - Membership. kafkajs gives up its consumer on 14 and 15 here, but takes 16 for a rebalance: it looks the coordinator
 *   up again and rejoins after a back-off. Java and librdkafka do the same. A join, sync or leave that may have been done
 *   after all is harmless to repeat.
 * - Heartbeat and commit. 16 makes kafkajs rejoin, which is right when the lead moved and wrong when this replica is only
 *   busy: 15 is retried in place after a back-off. A commit that may have been done is repeated with the same offsets.
 * - Read. Old clients do not retry 15 for OffsetFetch; Kafka answers 16 there for that reason.
 * - Topics. Any replica passes them on; 41 and 7 are retried by every admin client.
 *
 * 14 is not in here: nothing is loading while it serves (docs/clients.md#lost-leadership). Only ListGroups answers it.
 */
const TABLE: Readonly<Record<RequestClass, Readonly<Record<Refusal['kind'], ErrorName>>>> = {
  membership: {
    'not-leader': 'NOT_COORDINATOR',
    overloaded: 'NOT_COORDINATOR',
    'outcome-unknown': 'NOT_COORDINATOR',
  },
  heartbeat: {
    'not-leader': 'NOT_COORDINATOR',
    overloaded: 'COORDINATOR_NOT_AVAILABLE',
    'outcome-unknown': 'NOT_COORDINATOR',
  },
  commit: {
    'not-leader': 'NOT_COORDINATOR',
    overloaded: 'COORDINATOR_NOT_AVAILABLE',
    'outcome-unknown': 'NOT_COORDINATOR',
  },
  read: {
    'not-leader': 'NOT_COORDINATOR',
    overloaded: 'NOT_COORDINATOR',
    'outcome-unknown': 'NOT_COORDINATOR',
  },
  topics: {
    'not-leader': 'NOT_CONTROLLER',
    overloaded: 'REQUEST_TIMED_OUT',
    'outcome-unknown': 'REQUEST_TIMED_OUT',
  },
};

export function refusalCode(request: RequestClass, refusal: Refusal): ErrorCode {
  return errorCode(TABLE[request][refusal.kind]);
}

export const NOT_COORDINATOR = errorCode('NOT_COORDINATOR');

import { api } from '../api.js';
import { boolean, field, int16, int32, nullable, string } from '../schema.js';

/** Far from those that Kafka counts up from 0: a field of Quorate alone. Clients skip tags that they do not know (KIP-482). */
const QUORATE_DRAIN = 0x5155;

const request = {
  groupId: field(string),
  generationId: field(int32),
  memberId: field(string),
  groupInstanceId: field(nullable(string), { since: 3, default: null, essential: true }),
};
const response = {
  throttleTimeMs: field(int32, { since: 1, default: 0 }),
  errorCode: field(int16),
  drain: field(boolean, { since: 4, tag: QUORATE_DRAIN, default: false }),
};

/**
 * Heartbeat (key 12).
 *
 * A member is alive and learns of a rebalance. The most frequent request of an idle cluster: see `fast/heartbeat.ts`.
 *
 * v1 throttle time; v2 same bytes; v3 static members (KIP-345); v4 flexible. From v4 on Quorate adds that the member is
 * to drain and leave, while an operator asks for it.
 */
export const heartbeat = api({
  key: 12,
  name: 'Heartbeat',
  versions: [0, 4],
  flexibleFrom: 4,
  request,
  response,
});

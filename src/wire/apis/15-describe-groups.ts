import { api } from '../api.js';
import { array, boolean, bytes, field, int16, int32, nullable, string, struct } from '../schema.js';

/**
 * DescribeGroups (key 15).
 *
 * Groups in detail, for people.
 *
 * v1 throttle time; v2 same bytes; v3 authorized operations; v4 static members (KIP-345); v5 flexible; v6 a message beside
 * the error, GROUP_ID_NOT_FOUND where older versions say state "Dead" (KIP-1043).
 */
export const describeGroups = api({
  key: 15,
  name: 'DescribeGroups',
  versions: [0, 6],
  flexibleFrom: 5,
  request: {
    groups: field(array(string)),
    includeAuthorizedOperations: field(boolean, { since: 3, default: false, essential: true }),
  },
  response: {
    throttleTimeMs: field(int32, { since: 1, default: 0 }),
    groups: field(
      array(
        struct({
          errorCode: field(int16),
          errorMessage: field(nullable(string), { since: 6, default: null }),
          groupId: field(string),
          groupState: field(string),
          protocolType: field(string),
          protocolData: field(string),
          members: field(
            array(
              struct({
                memberId: field(string),
                groupInstanceId: field(nullable(string), { since: 4, default: null }),
                clientId: field(string),
                clientHost: field(string),
                memberMetadata: field(bytes),
                memberAssignment: field(bytes),
              }),
            ),
          ),
          authorizedOperations: field(int32, { since: 3, default: -2147483648 }),
        }),
      ),
    ),
  },
});

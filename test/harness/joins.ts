import { type GroupId, memberId } from '../../src/kernel/index.js';
import { DEFAULT_GROUP_SETTINGS, type GroupCommand } from '../../src/machine/index.js';
import { encodeSubscription } from './consumer-protocol.js';

type Join = Extract<GroupCommand, { kind: 'group.join' }>;

/** The first JoinGroup of a dynamic member that will have this id. */
export const join = (group: GroupId, member: string, fields: Partial<Join> = {}): Join => ({
  kind: 'group.join',
  group,
  memberId: memberId(''),
  newMemberId: memberId(member),
  instanceId: null,
  clientId: 'worker',
  clientHost: '/127.0.0.1',
  sessionTimeoutMs: 60_000,
  rebalanceTimeoutMs: 60_000,
  protocolType: 'consumer',
  protocols: [{ name: 'range', metadata: encodeSubscription(['t']) }],
  memberIdRequired: false,
  canSkipAssignment: false,
  reason: null,
  resuming: false,
  settings: DEFAULT_GROUP_SETTINGS,
  ...fields,
});

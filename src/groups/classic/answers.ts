import { generation, type MemberId } from '../../kernel/index.js';
import { CONSUMER_PROTOCOL_TYPE, EMPTY_ASSIGNMENT } from '../consumer-protocol.js';
import type { GroupError, JoinAnswer, SyncAnswer } from '../types/replies.js';
import type { ClassicMember } from './member.js';
import type { ClassicGroup } from './state.js';

const NO_BYTES = new Uint8Array(0);

/** What JoinGroup gets: the current generation, and for the leader the members and what they subscribe to. */
export function joinAnswer(group: ClassicGroup, memberId: MemberId): JoinAnswer {
  return {
    error: 'NONE',
    generation: group.generation,
    protocolType: group.protocolType,
    protocolName: group.protocolName,
    leader: group.leader ?? '',
    memberId,
    skipAssignment: false,
    members: memberId === group.leader ? memberList(group) : [],
  };
}

export function memberList(group: ClassicGroup): JoinAnswer['members'] {
  return [...group.members.values()].map(({ memberId, instanceId, protocols }) => ({
    memberId,
    instanceId,
    metadata: protocols.find(({ name }) => name === group.protocolName)?.metadata ?? NO_BYTES,
  }));
}

export const joinRefused = (error: GroupError, memberId: MemberId): JoinAnswer => ({
  error,
  generation: generation(-1),
  protocolType: null,
  protocolName: null,
  leader: '',
  memberId,
  skipAssignment: false,
  members: [],
});

/** What SyncGroup gets: the member's assignment. */
export function syncAnswer(group: ClassicGroup, member: ClassicMember): SyncAnswer {
  const nothing = member.assignment.length === 0 && group.protocolType === CONSUMER_PROTOCOL_TYPE;
  return {
    error: 'NONE',
    protocolType: group.protocolType,
    protocolName: group.protocolName,
    // kafkajs cannot read zero bytes (docs/clients.md#empty-assignment).
    assignment: nothing ? EMPTY_ASSIGNMENT : member.assignment,
  };
}

export const syncRefused = (error: GroupError): SyncAnswer => ({
  error,
  protocolType: null,
  protocolName: null,
  assignment: NO_BYTES,
});

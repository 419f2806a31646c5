import { errorByCode } from '../wire/index.js';
import { type Effect, UNREACHABLE } from './machine-types.js';

/** Something that the group or its coordinator refused, with what to do about it. */
export class WorkerError extends Error {
  override readonly name = 'WorkerError';
  constructor(
    message: string,
    /** Kafka's name of the error; `UNREACHABLE` when nobody answered, `TOPIC_MISSING`, `HANDLER_OVERDUE`. */
    readonly code: string,
    /** False: the worker tries again. */
    readonly fatal: boolean,
  ) {
    super(message);
  }
}

const ADVICE: Readonly<Record<string, string>> = {
  GROUP_MAX_SIZE_REACHED: 'the group is full: raise groupSizeMax of the replicas, or stop a member',
  INCONSISTENT_GROUP_PROTOCOL:
    'the members of this group share out partitions in another way (kafkajs: RoundRobinAssigner): use another group, or the same assignor everywhere',
  FENCED_INSTANCE_ID: 'another process has joined with the same instanceId: give each its own',
  INVALID_SESSION_TIMEOUT:
    'sessionTimeoutMs is outside what the coordinator takes (sessionTimeoutMsMin and sessionTimeoutMsMax of the replicas)',
  INVALID_GROUP_ID: 'the coordinator takes no group of this name',
  GROUP_AUTHORIZATION_FAILED: 'this client may not use the group',
  TOPIC_AUTHORIZATION_FAILED: 'this client may not use the topic',
  POLICY_VIOLATION: 'the cluster takes no more groups (groupsMax of the replicas)',
  UNSUPPORTED_VERSION: 'the broker is too old or too new for this worker',
  UNKNOWN_MEMBER_ID: 'the group had removed this worker: it joins again',
};

export function problemOf(group: string, failed: Extract<Effect, { kind: 'failed' }>): WorkerError {
  const { request, code, detail, fatal } = failed;
  if (code === UNREACHABLE)
    return new WorkerError(`group ${group}: ${request}: ${detail}`, 'UNREACHABLE', fatal);
  const name = errorByCode(code)?.name ?? `ERROR_${code}`;
  const advice = ADVICE[name];
  const text = advice === undefined ? name : `${name}: ${advice}`;
  return new WorkerError(`group ${group}: ${request} was answered with ${text}`, name, fatal);
}

export const missingTopics = (topics: readonly string[]): WorkerError =>
  new WorkerError(
    `there is no topic ${topics.join(', ')}: create it (quorate topics create ${topics[0] ?? ''}), or give createTopics`,
    'TOPIC_MISSING',
    true,
  );

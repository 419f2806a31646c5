import { errorByCode } from '../wire/index.js';
import { type Effect, UNREACHABLE } from './machine-types.js';
import type { CheckedOptions } from './options.js';

/** Something that the group or its coordinator refused, with what to do about it. */
export class WorkerError extends Error {
  override readonly name = 'WorkerError';
  constructor(
    message: string,
    /** Kafka's name of the error; `UNREACHABLE` when nobody answered; `TOPIC_MISSING`, `HANDLER_OVERDUE`, `LOOP_BLOCKED`, `SEAL_REFUSED`, `FENCE_FORGOTTEN`, `THREAD_ENDED`. */
    readonly code: string,
    /** False: the worker tries again. */
    readonly fatal: boolean,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

const COORDINATOR_MOVES = 'the group has no coordinator at the moment: it is asked for again';
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
  COORDINATOR_NOT_AVAILABLE: COORDINATOR_MOVES,
  COORDINATOR_LOAD_IN_PROGRESS: COORDINATOR_MOVES,
  NOT_COORDINATOR: COORDINATOR_MOVES,
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

/** A store has seen a higher token than that of a lease that begins. Tried again: the next owner may be about to be told. */
export const sealRefused = (scope: string, cause: Error): WorkerError =>
  new WorkerError(
    `the lease of ${scope} cannot begin: a store refuses its seal. ${cause.message}`,
    'SEAL_REFUSED',
    false,
    { cause },
  );

/** `lastUse`: of the lease that was used last, whose handler may be what blocked the loop. */
export function loopBlocked(
  { heartbeats, sessionTimeoutMs, loopBlockedMsMax }: CheckedOptions,
  blockedMs: number,
  lastUse: string | undefined,
): WorkerError {
  const end =
    heartbeats === 'thread'
      ? `its heartbeat thread goes on for ${loopBlockedMsMax} ms and leaves the group then`
      : `no heartbeat leaves in that time, and after ${sessionTimeoutMs} ms without an answer everything owned is lost`;
  const text = `the event loop was blocked, or the process did not run, for ${blockedMs} ms: ${end}. Give long computations to worker threads, or raise sessionTimeoutMs.`;
  return new WorkerError(
    lastUse === undefined ? text : `${text} The lease that was used last is that of ${lastUse}`,
    'LOOP_BLOCKED',
    false,
  );
}

/** `found`: what the store has in its place. */
export const fenceForgotten = (scope: string, token: bigint, found: bigint | null): WorkerError =>
  new WorkerError(
    `a store has forgotten the seal of ${scope} with the token ${token}, and has ${found ?? 'none'}: it evicted it, was emptied, or came back from a backup. An owner before may have written since. The scope is sealed again; give the store durable memory (Redis: maxmemory-policy noeviction).`,
    'FENCE_FORGOTTEN',
    false,
  );

import { groupId } from '../../kernel/index.js';
import {
  RECORD_LIMITS,
  type RecordFence,
  type RecordOperation,
  type RecordOutcome,
  recordProblem,
  type RegisterRecord,
} from '../../machine/index.js';
import { errorCode, type ReplyByKey, type RequestByKey } from '../../wire/index.js';
import type { Handler } from '../context.js';
import { NOT_COORDINATOR, refusalCode } from '../refusals.js';
import { unexpectedReply } from './unexpected.js';

/** Quorate's own commands: versioned records, at the replica that coordinates the group of the space's name. */

const KINDS = [
  'written',
  'not-found',
  'version-conflict',
  'already-exists',
  'stale-epoch',
  'skipped',
] as const;
const INVALID = errorCode('INVALID_REQUEST');

export const recordWrite: Handler<20000> = (request, exchange, { coordinator, counters }) => {
  const refuse = (errorMessage: string): void => exchange.answer({ errorCode: INVALID, errorMessage });
  const operations: RecordOperation[] = [];
  for (const asked of request.operations) {
    const operation = operationOf(asked);
    if (typeof operation === 'string') return refuse(operation);
    operations.push(operation);
  }
  const { space, atomic } = request;
  const command = { kind: 'record.write', space, operations, atomic } as const;
  const problem = recordProblem(command);
  if (problem !== undefined) return refuse(problem);
  coordinator.submit(coordinator.shardOf(groupId(space)), command, (outcome) => {
    if (outcome.kind !== 'ok') {
      counters.refusal(outcome.kind);
      return exchange.answer({ errorCode: refusalCode('records', outcome) });
    }
    if (outcome.reply.kind !== 'records') return unexpectedReply(command.kind, outcome.reply.kind);
    exchange.answer({ errorCode: 0, outcomes: outcome.reply.outcomes.map(outcomeReply) });
  });
};

export const recordRead: Handler<20001> = (
  { space, ids, fenceScope },
  exchange,
  { coordinator, counters },
) => {
  if (ids.length > RECORD_LIMITS.operationsMax) return exchange.answer({ errorCode: INVALID });
  const shard = coordinator.shardOf(groupId(space));
  coordinator.read(shard, (outcome) => {
    if (outcome.kind !== 'ok') {
      counters.refusal(outcome.kind);
      return exchange.answer({ errorCode: refusalCode('records', outcome) });
    }
    const { registers } = outcome.view;
    const records = ids.flatMap((id) => registers.get(space, id) ?? []).map(recordReply);
    const sealed = fenceScope === null ? null : registers.fenceOf(space, fenceScope);
    exchange.answerUnderLease(
      [shard],
      { errorCode: 0, records, sealed: sealed === null ? null : String(sealed) },
      () => ({ errorCode: NOT_COORDINATOR }),
    );
  });
};

export const recordSeal: Handler<20002> = (request, exchange, { coordinator, counters }) => {
  const { space, fenceScope: scope, fenceOwner: owner } = request;
  const token = digits(request.fenceToken);
  const fence = { scope, token: token ?? -1n, owner };
  const command = { kind: 'record.seal', space, fence } as const;
  const problem = recordProblem(command);
  if (problem !== undefined) return exchange.answer({ errorCode: INVALID, errorMessage: problem });
  coordinator.submit(coordinator.shardOf(groupId(space)), command, (outcome) => {
    if (outcome.kind !== 'ok') {
      counters.refusal(outcome.kind);
      return exchange.answer({ errorCode: refusalCode('records', outcome) });
    }
    if (outcome.reply.kind !== 'seal') return unexpectedReply(command.kind, outcome.reply.kind);
    const { outcome: result } = outcome.reply;
    exchange.answer(
      result.kind === 'sealed'
        ? { errorCode: 0, sealed: true, token: result.previous }
        : { errorCode: 0, sealed: false, token: result.current },
    );
  });
};

const digits = (text: string): bigint | undefined => (/^\d{1,19}$/.test(text) ? BigInt(text) : undefined);

type AskedOperation = RequestByKey[20000]['operations'][number];

/** The operation, or what is wrong with it. */
function operationOf(asked: AskedOperation): RecordOperation | string {
  const { id, version, fields, fenceScope } = asked;
  let fence: RecordFence | null = null;
  if (fenceScope !== null) {
    const token = digits(asked.fenceToken);
    if (token === undefined) return 'a token is a whole number, as digits';
    fence = { scope: fenceScope, token, owner: asked.fenceOwner };
  }
  switch (asked.kind) {
    case 1:
      return { kind: 'insert', id, fields, fence };
    case 2:
    case 3:
      return { kind: 'update', id, version, fields, replace: asked.kind === 3, fence };
    case 4:
      return { kind: 'delete', id, version, fence };
    case 5:
      return { kind: 'touch', id, version, fence };
    case 6:
      return { kind: 'check', id, version, fence };
    default:
      return `an operation has a kind from 1 to 6, not ${asked.kind}`;
  }
}

function outcomeReply(outcome: RecordOutcome): NonNullable<ReplyByKey[20000]['outcomes']>[number] {
  const kind = KINDS.indexOf(outcome.kind);
  switch (outcome.kind) {
    case 'written':
      return { kind, version: outcome.version };
    case 'version-conflict':
    case 'already-exists':
      return { kind, version: outcome.actual };
    case 'stale-epoch':
      return { kind, current: outcome.current };
    default:
      return { kind };
  }
}

const recordReply = ({
  id,
  version,
  fence,
  fields,
}: RegisterRecord): NonNullable<ReplyByKey[20001]['records']>[number] => ({
  id,
  version,
  fence: fence === null ? null : String(fence),
  fields,
});

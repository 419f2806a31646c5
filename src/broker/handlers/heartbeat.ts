import { generation, groupId, memberId } from '../../kernel/index.js';
import type { HeartbeatQuestion } from '../../machine/index.js';
import { errorCode, type ReplyOf } from '../../wire/index.js';
import type { BrokerContext, Handler } from '../context.js';
import type { Exchange } from '../exchange.js';
import { holdHeartbeat, holdMs } from '../held-heartbeats.js';
import { NOT_COORDINATOR } from '../refusals.js';
import { settleRead } from '../settle.js';
import { instanceOf } from './membership.js';

/**
 * The request that must cost least: no promise, no log entry, no disk. Answered from applied state under the lease; without it
 * by a read that costs a round trip. The answer to a steady member waits for news where its client lets it
 * (docs/clients.md#held-heartbeats).
 */
export const heartbeat: Handler<'Heartbeat'> = (request, exchange, context) => {
  const { coordinator, drains, speakers } = context;
  if (request.groupId === '') return exchange.answer(heartbeatReply(errorCode('INVALID_GROUP_ID'), false));
  const group = groupId(request.groupId);
  const shard = coordinator.shardOf(group);
  const member = memberId(request.memberId);
  const dynamic = request.groupInstanceId === null;
  const question = {
    group,
    generation: generation(request.generationId),
    memberId: member,
    instanceId: instanceOf(request.groupInstanceId),
  };
  if (coordinator.serves(shard) && coordinator.leaseHolds(shard)) {
    const { error, renew, steadyForMs = 0 } = coordinator.peek(shard).groups.heartbeat(question);
    if (renew) coordinator.touch(group, member);
    if (renew && dynamic) speakers.spoke(group, member, exchange.owner);
    const drain = drains.counts(group, member);
    const forMs = drain ? 0 : holdMs(exchange, steadyForMs, context);
    if (forMs === 0)
      return exchange.answerUnderLease(shard, heartbeatReply(errorCode(error), drain), heartbeatRefused);
    return holdHeartbeat(exchange, context, { shard, group, forMs }, (how) =>
      how === 'elsewhere' ? exchange.answer(HEARTBEAT_REFUSED) : answerHeld(exchange, context, question),
    );
  }
  const answer = (code: number): void => exchange.answer(heartbeatReply(code, drains.counts(group, member)));
  coordinator.read(
    shard,
    settleRead(
      context,
      'heartbeat',
      ({ groups }) => {
        const { error, renew } = groups.heartbeat(question);
        if (renew) coordinator.touch(group, member);
        if (renew && dynamic) speakers.spoke(group, member, exchange.owner);
        answer(errorCode(error));
      },
      answer,
    ),
  );
};

/** As it stands now: the member was heard when it asked, and is not heard again. */
function answerHeld(
  exchange: Exchange<'Heartbeat'>,
  context: BrokerContext,
  question: HeartbeatQuestion,
): void {
  const { coordinator, drains } = context;
  const { group, memberId } = question;
  const shard = coordinator.shardOf(group);
  const drain = drains.counts(group, memberId);
  if (coordinator.serves(shard) && coordinator.leaseHolds(shard)) {
    const { error } = coordinator.peek(shard).groups.heartbeat(question);
    return exchange.answerUnderLease(shard, heartbeatReply(errorCode(error), drain), heartbeatRefused);
  }
  const answer = (code: number): void => exchange.answer(heartbeatReply(code, drain));
  coordinator.read(
    shard,
    settleRead(
      context,
      'heartbeat',
      ({ groups }) => answer(errorCode(groups.heartbeat(question).error)),
      answer,
    ),
  );
}

const HEARTBEAT_OK: ReplyOf<'Heartbeat'> = { errorCode: 0 };
const HEARTBEAT_REFUSED: ReplyOf<'Heartbeat'> = { errorCode: NOT_COORDINATOR };
const heartbeatRefused = (): ReplyOf<'Heartbeat'> => HEARTBEAT_REFUSED;
function heartbeatReply(code: number, drain: boolean): ReplyOf<'Heartbeat'> {
  if (drain) return { errorCode: code, drain };
  return code === 0 ? HEARTBEAT_OK : { errorCode: code };
}

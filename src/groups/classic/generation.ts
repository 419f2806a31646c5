import { assert, generation, type Generation, type Steps } from '../../kernel/index.js';
import { joinAnswer } from './answers.js';
import { endRecord, recordJoined } from './history.js';
import type { ClassicMember } from './member.js';
import type { ClassicGroup } from './state.js';
import { enter } from './states.js';
import { armGroupTimer, armSession, rebalanceTimeoutMs } from './timers.js';
import { inSteps, type Turn } from './turn.js';

const next = (current: Generation): Generation => generation(current + 1);

/** Align. The generation grows, and every JoinGroup that waits gets its answer. */
export function startGeneration(turn: Turn, removed: readonly ClassicMember[]): void {
  const { group } = turn;
  group.generation = next(group.generation);
  recordJoined(turn, removed);
  if (group.members.size === 0) return becomeEmpty(turn);
  keepOrChooseLeader(group);
  group.protocolName = voteForProtocol(group);
  enter(group, 'barrier-opened');
  turn.rest.push(() => letIn(turn));
}

/** Every member is in the new generation and owes a SyncGroup. */
function* letIn(turn: Turn): Steps<void> {
  const { group, news } = turn;
  yield* inSteps(turn, group.members.values(), (member) => {
    const { memberId, waiting } = member;
    group.members.setWaiting(member, false);
    member.waitingSince = null;
    member.isNew = false;
    group.members.setPendingSync(member, true);
    member.assignment = new Uint8Array(0);
    armSession(turn, member);
    if (waiting)
      news.push({ kind: 'join-answer', group: group.id, memberId, answer: joinAnswer(group, memberId) });
  });
  armGroupTimer(turn, 'sync', rebalanceTimeoutMs(group));
}

function becomeEmpty(turn: Turn): void {
  const { group, at, news } = turn;
  group.leader = null;
  group.protocolName = null;
  group.emptySince = at;
  group.fences.clear();
  enter(group, 'members-gone');
  endRecord(turn, { outcome: 'empty', stableAt: at });
  news.push({ kind: 'group-empty', group: group.id, generation: group.generation });
}

/** The leader stays if it has joined. Otherwise the first member that has joined leads. */
function keepOrChooseLeader(group: ClassicGroup): void {
  if (group.leader !== null && group.members.get(group.leader)?.waiting === true) return;
  for (const { memberId, waiting } of group.members.values()) {
    if (!waiting) continue;
    group.leader = memberId;
    return;
  }
  assert(false, `a member of ${group.id} has joined`);
}

/** Kafka: each member votes for the first of its protocols that all support. The leader's order decides a tie. */
export function voteForProtocol(group: ClassicGroup): string {
  const [only, ...others] = group.members.supportedByAll();
  if (only !== undefined && others.length === 0) return only;
  const votes = new Map<string, number>();
  for (const { protocols } of group.members.values()) {
    const choice = protocols.find(({ name }) => group.members.allSupport(name));
    if (choice !== undefined) votes.set(choice.name, (votes.get(choice.name) ?? 0) + 1);
  }
  const order = group.members.get(group.leader!)!.protocols.map(({ name }) => name);
  const best = order
    .filter((name) => votes.has(name))
    .sort((a, b) => votes.get(b)! - votes.get(a)! || order.indexOf(a) - order.indexOf(b))[0];
  const [winner] = [...votes].sort(([, a], [, b]) => b - a);
  assert(winner !== undefined, `the members of ${group.id} have a protocol in common`);
  return best !== undefined && votes.get(best) === winner[1] ? best : winner[0];
}

import { generation, topicName } from '../../../src/kernel/index.js';
import type { ShardGroups } from '../../../src/groups/groups.js';
import type { GroupOutcome, JoinAnswer, SyncAnswer } from '../../../src/groups/index.js';
import { decodeAssignment } from '../../harness/consumer-protocol.js';
import { type Client, FORGOTTEN, GROUP, must, type Node, timerName, TOPIC } from './group-state.js';

/** What the clients are told: the sender by the reply, those that wait by news. */
export function listen(
  clients: readonly Client[],
  { reply, news }: GroupOutcome,
  sender: number | undefined,
): readonly Client[] {
  let told = clients;
  const tell = (at: number, change: Partial<Client>): void => {
    told = told.with(at, { ...told[at]!, waitsAs: '', ...change });
  };
  const joined = (at: number, answer: JoinAnswer): void => {
    const { error, memberId: id, generation: of, leader } = answer;
    if (error === 'MEMBER_ID_REQUIRED') tell(at, { id });
    else if (error !== 'NONE') tell(at, FORGOTTEN);
    else tell(at, { id, generation: of, leads: leader === id, owns: undefined });
  };
  const synced = (at: number, { error, assignment }: SyncAnswer): void => {
    if (error === 'UNKNOWN_MEMBER_ID' || error === 'FENCED_INSTANCE_ID') tell(at, FORGOTTEN);
    else if (error !== 'NONE') tell(at, { generation: -1, leads: false, owns: undefined });
    else tell(at, { owns: decodeAssignment(Buffer.from(assignment))[TOPIC] ?? [] });
  };
  if (sender !== undefined) {
    if (reply.kind === 'join-parked' || reply.kind === 'sync-parked')
      tell(sender, { waitsAs: reply.memberId });
    if (reply.kind === 'join') joined(sender, reply.answer);
    if (reply.kind === 'sync') synced(sender, reply.answer);
  }
  for (const item of news) {
    if (item.kind !== 'join-answer' && item.kind !== 'sync-answer') continue;
    const at = told.findIndex(({ waitsAs }) => waitsAs === item.memberId);
    if (at < 0) continue;
    if (item.kind === 'join-answer') joined(at, item.answer);
    else synced(at, item.answer);
  }
  return told;
}

/** The timers that run at the leader after a command are those that a new leader would arm. */
export function checkTimers(before: ShardGroups, after: ShardGroups, { timers }: GroupOutcome): void {
  const running = new Map(before.timers().map(({ timer, token }) => [timerName(timer), token]));
  for (const change of timers) {
    if (change.kind === 'arm') running.set(timerName(change.timer), change.token);
    else if (change.kind === 'cancel') running.delete(timerName(change.timer));
  }
  const armed = new Map(after.timers().map(({ timer, token }) => [timerName(timer), token]));
  for (const [name, token] of armed)
    must(running.get(name) === token, `the timer "${name}" is armed, and the leader does not run it`);
}

/** No partition has two owners in one generation, by what its owners were told; and who owns it holds its token. */
export function checkOwners(groups: ShardGroups, clients: readonly Client[]): void {
  for (const [i, { id, owns, generation: of }] of clients.entries()) {
    for (const partition of owns ?? []) {
      const other = clients.find(
        (each, at) => at > i && each.generation === of && each.owns?.includes(partition),
      );
      must(
        other === undefined,
        `partition ${partition} belongs to ${id} and ${other?.id} in generation ${of}`,
      );
      const { state, generation: current } = groups.describe(GROUP) ?? {};
      if (current !== of || state !== 'Stable') continue;
      const owner = groups.ownerOf(GROUP, generation(of), topicName(TOPIC), partition);
      must(owner === id, `${id} was given partition ${partition}, and ${owner ?? 'nobody'} holds its token`);
    }
  }
}

/** A new owner has a higher token than all before it; an owner that stays keeps its own. */
export function checkTokens(groups: ShardGroups, before: Node['tokens']): Node['tokens'] {
  const grants = groups.fences(GROUP);
  return before.map((last, partition) => {
    const grant = grants.find(({ scope }) => scope === `g/${TOPIC}/${partition}`);
    if (grant === undefined) return { owner: '', token: last.token };
    const token = Number(grant.token);
    const holds = grant.owner === last.owner ? token === last.token : token > last.token;
    must(
      holds,
      `partition ${partition}: ${grant.owner} has token ${token} after ${last.owner} with ${last.token}`,
    );
    return { owner: grant.owner, token };
  });
}

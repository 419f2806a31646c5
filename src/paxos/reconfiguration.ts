/** Reconfiguration by sealing: from the seal of one configuration to the election in the next. */

import { assert, type MonotonicMs } from '../kernel/index.js';
import { startCampaign } from './candidate.js';
import { successorProblem } from './configuration.js';
import { answerUnderWay, askCatchUp } from './learner.js';
import type { Message } from './messages.js';
import type { Peer } from './progress.js';
import { beginRound } from './reads.js';
import type { State } from './state.js';
import { becomeFollower, failCarried, leaveConfiguration } from './step-down.js';

/** Once the seal at the end of the log is chosen, the replica goes on in the configuration that it names. */
export function passSeal(s: State, now: MonotonicMs): void {
  const { log } = s.hard;
  const since = log.seal;
  if (since === undefined || s.chosenThrough < since) return;
  const { entry } = log.get(since);
  assert(entry.kind === 'seal', `slot ${since} holds a seal`);
  const problem = successorProblem(s.configuration.number, entry.next);
  assert(problem === undefined, `the seal in slot ${since}: ${problem}`);
  const led = s.role.kind === 'leader';
  if (led) sayLastWord(s);
  leaveConfiguration(s, now);
  log.continueBehind(since);
  const begun = { since, configuration: entry.next };
  s.enter(begun, now);
  // Every record of the next configuration comes behind this one.
  s.write([{ kind: 'configuration', ...begun }]);
  // The others wait for who led; so it begins at once, and the pause is short.
  if (led && s.votes) return startCampaign(s, now, undefined);
  failCarried(s);
  beginRound(s, now);
}

/** The followers have the seal: that it is chosen is all they need to go on. */
function sayLastWord(s: State): void {
  s.broadcast({
    kind: 'heartbeat',
    round: s.round,
    ballot: s.hard.promised,
    leads: true,
    chosenThrough: s.chosenThrough,
  });
}

/** A message of an earlier configuration: its sender does not know yet that it has ended. */
export function refuseEnded(s: State, peer: Peer, { kind }: Message): void {
  if (kind === 'heartbeat' || kind === 'prepare' || kind === 'accept' || kind === 'takeOver')
    s.send(peer.id, { kind: 'ended', chosenThrough: s.chosenThrough });
}

/** A message of a later configuration: ours has ended, and who sent it has the seal. */
export function noteEnded(s: State, peer: Peer, message: Message, now: MonotonicMs): void {
  const follower = s.role.kind === 'follower' ? s.role : becomeFollower(s, now, 'next-configuration');
  s.setLeader(follower, undefined);
  s.awaitLeader(now);
  const asks = message.kind !== 'chosenEntries' && s.diskStallsFrom === undefined;
  if (asks && !answerUnderWay(s, now)) askCatchUp(s, peer, now);
}

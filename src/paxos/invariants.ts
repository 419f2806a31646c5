/** What holds between two steps, whatever came before. A violation is a defect in this room: the replica stops. */

import { assert, broken, slot } from '../kernel/index.js';
import { ballotsEqual, compareBallots, formatBallot } from './ballot.js';
import { entryBytes } from './log.js';
import type { Leader } from './role.js';
import type { State } from './state.js';

/** The part that costs a few comparisons: after every step, in production too. Texts are made only for what is broken. */
export function checkPositions(s: State): void {
  const { log, promised } = s.hard;
  const { lastSlot } = log;
  atMost('applied <= announced', s.appliedThrough, s.announcedThrough);
  atMost('announced <= chosen', s.announcedThrough, s.chosenThrough);
  atMost('chosen <= last slot', s.chosenThrough, lastSlot);
  atMost('first slot <= chosen + 1', log.firstSlot, s.chosenThrough + 1);
  atMost('hinted <= chosen', s.hintedThrough, s.chosenThrough);
  atMost('matched <= last slot', s.matched, lastSlot);
  atMost('durable <= matched', s.durableThrough, s.matched);
  atMost('the configuration began <= chosen', s.since, s.chosenThrough);
  if (log.seal !== undefined && log.seal !== lastSlot)
    broken(`a seal in slot ${log.seal} is the last slot, ${lastSlot}`);
  if (log.seal !== undefined && log.seal <= s.chosenThrough)
    broken(`the configuration whose seal in slot ${log.seal} is chosen has ended`);
  if (compareBallots(s.durablePromise, promised) > 0)
    broken(`durable promise ${formatBallot(s.durablePromise)} <= promise ${formatBallot(promised)}`);
  if (s.role.kind !== 'follower' && !s.member)
    broken(`who is ${s.role.kind} is in configuration ${s.configuration.number}`);
  if (s.role.kind === 'candidate' && !ballotsEqual(s.role.campaign.ballot, promised))
    broken(`a candidate's ballot ${formatBallot(s.role.campaign.ballot)} is its promise`);
  if (s.role.kind !== 'leader') return;
  if (promised.replica !== s.options.self)
    broken(`a leader promised its own ballot, not ${formatBallot(promised)}`);
  if (!ballotsEqual(s.durablePromise, promised))
    broken(`a leader's promise ${formatBallot(promised)} is on disk, not ${formatBallot(s.durablePromise)}`);
}

function atMost(invariant: string, low: number, high: number): void {
  if (low > high) broken(`${invariant} (${low}, ${high})`);
}

/** All of it, which looks at every open slot and every queued proposal: in tests. */
export function checkState(s: State): void {
  checkPositions(s);
  const { log, promised } = s.hard;
  assert(
    s.begun === undefined || s.begun.configuration.number === s.configuration.number,
    `configuration ${s.configuration.number} is the one that began last`,
  );
  assert(
    s.hard.log.at(s.since)?.entry.kind === 'seal' || s.since < s.hard.log.firstSlot,
    `configuration ${s.configuration.number} began behind a seal in slot ${s.since}`,
  );
  for (let position = s.chosenThrough + 1; position <= log.lastSlot; position++) {
    const { ballot } = log.get(slot(position));
    assert(
      compareBallots(ballot, promised) <= 0,
      `slot ${position} was accepted in ${formatBallot(ballot)}, at most the promise ${formatBallot(promised)}`,
    );
  }
  if (s.role.kind === 'leader') checkProposals(s, s.role);
}

function checkProposals(s: State, leader: Leader): void {
  const { log } = s.hard;
  let inFlight = 0;
  for (const position of leader.ours.keys()) {
    assert(
      position > s.chosenThrough && position <= log.lastSlot,
      `proposal of slot ${position} is open in ${s.chosenThrough + 1}..${log.lastSlot}`,
    );
    inFlight += entryBytes(log.get(position).entry);
  }
  assert(inFlight === leader.inFlightBytes, `${leader.inFlightBytes} bytes in flight are ${inFlight}`);
  const queued = leader.queue.reduce((sum, { entry }) => sum + entryBytes(entry), 0);
  assert(queued === leader.queueBytes, `${leader.queueBytes} bytes in the queue are ${queued}`);
  const { transferee } = leader;
  assert(
    transferee === undefined || s.peers.get(transferee.peer.id) === transferee.peer,
    `the transferee is a peer`,
  );
}

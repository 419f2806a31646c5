/** What holds between two steps, whatever came before. A violation is a defect in this room: the replica stops. */

import { assert, slot } from '../kernel/index.js';
import { ballotsEqual, compareBallots, formatBallot } from './ballot.js';
import { entryBytes } from './log.js';
import type { Leader } from './role.js';
import type { State } from './state.js';

/** The part that costs a few comparisons: after every step, in production too. */
export function checkPositions(s: State): void {
  const { log, promised } = s.hard;
  const { firstSlot, lastSlot } = log;
  const told = s.announcedThrough;
  assert(s.appliedThrough <= told, `applied ${s.appliedThrough} <= announced ${told}`);
  assert(told <= s.chosenThrough, `announced ${told} <= chosen ${s.chosenThrough}`);
  assert(s.chosenThrough <= lastSlot, `chosen ${s.chosenThrough} <= last slot ${lastSlot}`);
  assert(firstSlot <= s.chosenThrough + 1, `first slot ${firstSlot} <= chosen ${s.chosenThrough} + 1`);
  assert(s.hintedThrough <= s.chosenThrough, `hinted ${s.hintedThrough} <= chosen ${s.chosenThrough}`);
  assert(s.matched <= lastSlot, `matched ${s.matched} <= last slot ${lastSlot}`);
  assert(s.durableThrough <= s.matched, `durable ${s.durableThrough} <= matched ${s.matched}`);
  assert(
    compareBallots(s.durablePromise, promised) <= 0,
    `durable promise ${formatBallot(s.durablePromise)} <= promise ${formatBallot(promised)}`,
  );
  if (s.role.kind === 'candidate') {
    const { ballot } = s.role.campaign;
    assert(ballotsEqual(ballot, promised), `a candidate's ballot ${formatBallot(ballot)} is its promise`);
  }
  if (s.role.kind !== 'leader') return;
  assert(
    promised.replica === s.options.self,
    `a leader promised its own ballot, not ${formatBallot(promised)}`,
  );
  assert(
    ballotsEqual(s.durablePromise, promised),
    `a leader's promise ${formatBallot(promised)} is on disk, not ${formatBallot(s.durablePromise)}`,
  );
}

/** All of it, which looks at every open slot and every queued proposal: in tests. */
export function checkState(s: State): void {
  checkPositions(s);
  const { log, promised } = s.hard;
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

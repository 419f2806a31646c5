import { type Random, replicaId, slot } from '../../../src/kernel/index.js';
import type { Ballot, Configuration, Entry, HardRecord, Message } from '../../../src/paxos/index.js';

/** Random messages and records: a maker for every kind, so that a new kind does not compile until it has one. */

type Of<U extends { readonly kind: string }> = {
  readonly [K in U['kind']]: (random: Random) => Extract<U, { readonly kind: K }>;
};
type AcceptedEntry = Extract<Message, { readonly kind: 'promise' }>['accepted'][number];

/** Small numbers often, large ones now and then: varints of every length occur. */
const count = (random: Random): number => random.below(random.pick([2, 130, 2 ** 20, 2 ** 40, 2 ** 53]));
const anySlot = (random: Random) => slot(count(random));
const anyBallot = (random: Random): Ballot => ({
  round: count(random),
  priority: random.below(200) - 100,
  replica: replicaId(random.below(2 ** 31) - 1),
});
const anyConfiguration = (random: Random): Configuration => ({
  number: count(random),
  members: several(random, () => ({
    id: replicaId(random.below(2 ** 31)),
    incarnation: `disk ${random.below(9)}`,
  })),
  quorums: random.pick([
    { kind: 'majority' },
    { kind: 'flexible', prepare: count(random), accept: count(random) },
  ]),
});
const anyEntry = (random: Random): Entry =>
  random.chance(0.2)
    ? random.pick([{ kind: 'noop' }, { kind: 'seal', next: anyConfiguration(random) }])
    : {
        kind: 'command',
        payload: Buffer.from(
          Array.from({ length: random.below(random.pick([1, 20, 300])) }, () => random.below(256)),
        ),
      };
const several = <T>(random: Random, make: (random: Random) => T): T[] =>
  Array.from({ length: random.below(5) }, () => make(random));
const anyAccepted = (random: Random): AcceptedEntry => ({
  ballot: anyBallot(random),
  entry: anyEntry(random),
});
const coin = (random: Random): boolean => random.chance(0.5);

export const messages: Of<Message> = {
  heartbeat: (random) => ({
    configuration: count(random),
    kind: 'heartbeat',
    round: count(random),
    ballot: anyBallot(random),
    leads: coin(random),
    chosenThrough: anySlot(random),
  }),
  heartbeatReply: (random) => ({
    configuration: count(random),
    kind: 'heartbeatReply',
    round: count(random),
    ballot: anyBallot(random),
    follows: coin(random),
    content: coin(random),
    votes: coin(random),
    electable: coin(random),
    priority: random.below(200) - 100,
    matched: anySlot(random),
    chosenThrough: anySlot(random),
  }),
  prepare: (random) => ({
    configuration: count(random),
    kind: 'prepare',
    ballot: anyBallot(random),
    fromSlot: anySlot(random),
    consent: coin(random) ? undefined : anyBallot(random),
  }),
  promise: (random) => ({
    configuration: count(random),
    kind: 'promise',
    ballot: anyBallot(random),
    firstSlot: anySlot(random),
    accepted: several(random, anyAccepted),
    last: coin(random),
    chosenThrough: anySlot(random),
    logStart: anySlot(random),
  }),
  accept: (random) => ({
    configuration: count(random),
    kind: 'accept',
    ballot: anyBallot(random),
    firstSlot: anySlot(random),
    entries: several(random, anyEntry),
    chosenThrough: anySlot(random),
  }),
  accepted: (random) => ({
    configuration: count(random),
    kind: 'accepted',
    ballot: anyBallot(random),
    through: anySlot(random),
    gap: coin(random),
    votes: coin(random),
  }),
  rejected: (random) => ({ configuration: count(random), kind: 'rejected', ballot: anyBallot(random) }),
  catchUp: (random) => ({ configuration: count(random), kind: 'catchUp', fromSlot: anySlot(random) }),
  chosenEntries: (random) => ({
    configuration: count(random),
    kind: 'chosenEntries',
    firstSlot: anySlot(random),
    entries: several(random, anyAccepted),
    chosenThrough: anySlot(random),
  }),
  takeOver: (random) => ({ configuration: count(random), kind: 'takeOver', ballot: anyBallot(random) }),
  ended: (random) => ({ configuration: count(random), kind: 'ended', chosenThrough: anySlot(random) }),
};

export const records: Of<HardRecord> = {
  promised: (random) => ({ kind: 'promised', ballot: anyBallot(random) }),
  accepted: (random) => ({
    kind: 'accepted',
    ballot: anyBallot(random),
    firstSlot: anySlot(random),
    entries: several(random, anyEntry),
  }),
  chosen: (random) => ({ kind: 'chosen', through: anySlot(random) }),
  snapshot: (random) => ({ kind: 'snapshot', through: anySlot(random) }),
  configuration: (random) => ({
    kind: 'configuration',
    since: anySlot(random),
    configuration: anyConfiguration(random),
  }),
};

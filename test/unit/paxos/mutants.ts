import { compareBallots, type Effect, type Message } from '../../../src/paxos/index.js';
import type { Mutant, World } from './world.js';
import type { ReplicaId } from '../../../src/kernel/index.js';

type MessageOf<K extends Message['kind']> = Extract<Message, { kind: K }>;

const coreOf = (world: World, self: ReplicaId) => world.nodes[self - 1]!.core!;
const statusOf = (world: World, self: ReplicaId) =>
  coreOf(world, self).status(world.now(world.nodes[self - 1]!));

/**
 * An acceptor that takes a value whose ballot is below its promise: the old leader believes that it was accepted, and
 * the new leader, whom the acceptor has answered already, never hears of it. Breaks phase 2b.
 */
function acceptBelowPromise(): Mutant {
  let late: { readonly from: ReplicaId; readonly accept: MessageOf<'accept'> } | undefined;
  return {
    name: 'accept below the promise',
    input: (input, world, self) => {
      late = undefined;
      if (input.kind !== 'message' || input.message.kind !== 'accept') return input;
      const { promised, lastSlot } = statusOf(world, self);
      const { ballot, firstSlot } = input.message;
      if (compareBallots(ballot, promised) < 0 && firstSlot <= lastSlot + 1)
        late = { from: input.from, accept: input.message };
      return input;
    },
    effects: (effects) => {
      if (late === undefined) return effects;
      const { from, accept } = late;
      late = undefined;
      const { configuration, ballot, firstSlot, entries } = accept;
      const accepted: Message = {
        configuration,
        kind: 'accepted',
        ballot,
        through: (firstSlot + entries.length - 1) as typeof firstSlot,
        gap: false,
        votes: true,
      };
      // Instead of the rejection: durable first, as is proper, then the answer. The id acknowledges nothing of the core's.
      return [
        ...effects.filter((effect) => effect.kind !== 'send' || effect.message.kind !== 'rejected'),
        {
          kind: 'persist',
          id: 0,
          records: [{ kind: 'accepted', ballot, firstSlot, entries }],
          sync: true,
          then: [{ to: from, message: accepted }],
        },
      ];
    },
  };
}

/** A candidate that prefers its own value, or a no-op, to what a promise reports of an open slot. Breaks phase 2a. */
function ownValueOverPromised(): Mutant {
  return {
    name: 'own value over a promised one',
    input: (input) => {
      if (input.kind !== 'message' || input.message.kind !== 'promise') return input;
      const { message } = input;
      const chosen = message.accepted.slice(0, Math.max(0, message.chosenThrough + 1 - message.firstSlot));
      return { ...input, message: { ...message, accepted: chosen, last: true } };
    },
  };
}

/** A replica that answers at once, and writes afterwards. Breaks the order of persist and send. */
function replyBeforeDurable(): Mutant {
  return {
    name: 'reply before durable',
    effects: (effects) =>
      effects.flatMap((effect): readonly Effect[] =>
        effect.kind === 'persist'
          ? [...effect.then.map((send): Effect => ({ kind: 'send', ...send })), { ...effect, then: [] }]
          : [effect],
      ),
  };
}

/** A leader whose lease outlives what its acceptors granted. Breaks reads. */
function leaseTooLong(): Mutant {
  return {
    name: 'a lease beyond the grant',
    options: (options) => ({ ...options, clockDriftRatio: -1 }),
  };
}

interface Planted {
  /** A fresh one for every world: a mutant may remember the last input. */
  readonly plant: () => Mutant;
  /** What the world must say of it: the broken promise itself, not some accident on the way. */
  readonly symptom: RegExp;
}

const TWO_VALUES = /^slot \d+ is "v?\d*", and replica \d has "v?\d*"|^two values were chosen/;

export const planted: readonly Planted[] = [
  { plant: acceptBelowPromise, symptom: TWO_VALUES },
  { plant: ownValueOverPromised, symptom: TWO_VALUES },
  { plant: replyBeforeDurable, symptom: /before it is durable/ },
  { plant: leaseTooLong, symptom: /hold a lease at once|holds a lease at slot \d+, and slot \d+ was ack/ },
];

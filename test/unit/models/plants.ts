import { compareBallots } from '../../../src/paxos/index.js';
import type { GroupPlant } from './group-model.js';
import type { Plant } from './paxos-replica.js';

/** Bugs that the models must find, and the smallest size (sizes.ts) that shows each. */
export const PAXOS_PLANTS: readonly (Plant & { readonly seenIn: string })[] = [
  {
    name: 'an acceptor accepts a ballot below its promise',
    seenIn: 'a ballot each, rejections',
    input: (s, input) => {
      if (input.kind !== 'message' || input.message.kind !== 'accept' || s.role.kind !== 'follower')
        return input;
      const { ballot } = input.message;
      if (compareBallots(ballot, s.hard.promised) < 0) {
        s.hard.promised = s.durablePromise = ballot;
        s.forgetMatched();
      }
      return input;
    },
  },
  {
    name: 'a candidate ignores what a promise reports',
    seenIn: 'a ballot each, rejections',
    input: (_, input) =>
      input.kind === 'message' && input.message.kind === 'promise'
        ? { ...input, message: { ...input.message, accepted: [], last: true } }
        : input,
  },
  {
    name: 'a candidate takes the value of the lowest ballot',
    seenIn: 'two ballots and one',
    input: (_, input) => {
      if (input.kind !== 'message' || input.message.kind !== 'promise') return input;
      const accepted = input.message.accepted.map(({ ballot, entry }) => ({
        ballot: { ...ballot, round: -ballot.round },
        entry,
      }));
      return { ...input, message: { ...input.message, accepted } };
    },
  },
  {
    name: 'a promise is forgotten by a restart',
    seenIn: 'a ballot each, the third replica crashes',
    recovered: (records) => records.filter(({ kind }) => kind !== 'promised'),
  },
  {
    name: 'answers leave before what they promise is on disk',
    seenIn: 'a ballot each, writes in flight, the third replica crashes',
    answersEarly: true,
  },
];

/** What a seal must keep. */
export const SEAL_PLANTS: readonly (Plant & { readonly seenIn: string; readonly says: RegExp })[] = [
  {
    name: 'the number of the configuration is ignored',
    seenIn: 'a seal, a ballot each, from three replicas to two',
    says: /two replicas apply different values|is behind the seal|continues a log/,
    input: (s, input) =>
      input.kind === 'message'
        ? { ...input, message: { ...input.message, configuration: s.configuration.number } }
        : input,
  },
  {
    name: 'a replica goes on behind a seal that it has accepted, and nobody has chosen',
    seenIn: 'a seal, a ballot each, from three replicas to two',
    says: /two replicas apply different values/,
    input: (s, input) => {
      const { seal } = s.hard.log;
      const accepted = input.kind === 'persisted' && s.role.kind === 'follower';
      if (seal !== undefined && accepted) s.chosenThrough = s.matched = s.durableThrough = seal;
      return input;
    },
  },
  {
    name: 'a leader proposes behind its seal, and acceptors take it',
    seenIn: 'a seal, a command, from two replicas to two others',
    says: /two replicas apply different values|is behind the seal|the last slot/,
    input: (s, input) => {
      const { seal } = s.hard.log;
      if (seal !== undefined && (input.kind === 'propose' || input.kind === 'message'))
        s.hard.log.continueBehind(seal);
      return input;
    },
  },
];

export const GROUP_PLANTS: readonly (GroupPlant & { readonly seenIn: string })[] = [
  {
    name: 'a rebalance arms no timer',
    seenIn: 'dynamic members',
    after: ({ state }) => {
      for (const group of state.groups.values()) group.timers.delete('join');
    },
  },
  {
    name: 'a new generation has the number of the one before',
    seenIn: 'a static member',
    after: ({ state }, _, before) => {
      for (const [id, group] of state.groups) {
        const was = before.state.groups.get(id)?.generation;
        if (was !== undefined && was > 0) group.generation = was;
      }
    },
  },
  {
    name: 'tokens of a partition start again when its owner leaves',
    seenIn: 'dynamic members',
    after: ({ state }, command) => {
      if (command.kind !== 'group.leave') return;
      state.tokensFrom = -1_000;
    },
  },
  {
    name: 'a leader that syncs again changes the assignment in force',
    seenIn: 'a static member',
    after: ({ state }, command) => {
      if (command.kind !== 'group.sync') return;
      for (const group of state.groups.values())
        if (group.state === 'Stable')
          for (const { memberId, assignment } of command.assignments) {
            const member = group.members.get(memberId);
            if (member !== undefined) member.assignment = assignment;
          }
    },
  },
];

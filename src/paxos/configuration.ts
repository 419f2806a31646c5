import type { ReplicaId, Slot } from '../kernel/index.js';
import type { QuorumDescription, QuorumSystem } from './quorum.js';
import { quorumProblem, quorumSystem } from './quorum-check.js';

/** A replica, and the disk that it keeps its promises on: under another one it is another acceptor. */
export interface Member {
  readonly id: ReplicaId;
  readonly incarnation: string;
}

/** Who decides in one stretch of the log, as data: what a seal, a record and a snapshot hold. */
export interface Configuration {
  /** Grows by one with every seal. */
  readonly number: number;
  readonly members: readonly Member[];
  readonly quorums: QuorumDescription;
}

/** A configuration, and the slot of the seal that it begins behind. */
export interface Begun {
  readonly since: Slot;
  readonly configuration: Configuration;
}

/** A configuration as the core works with it. */
export interface PaxosConfiguration {
  readonly number: number;
  readonly replicas: readonly ReplicaId[];
  readonly quorums: QuorumSystem;
  /** As its seal named them; undefined for the one that a cluster is formed with, which no seal began. */
  readonly members?: readonly Member[];
}

export const sameConfiguration = (a: Configuration, b: Configuration): boolean =>
  a.number === b.number && sameDeciders(configurationOf(a), configurationOf(b));

/** The same disks decide by the same quorums. What no seal named is the same as nothing. */
export function sameDeciders(a: PaxosConfiguration, b: PaxosConfiguration): boolean {
  const alike = (member: Member, i: number): boolean =>
    member.id === b.members?.[i]?.id && member.incarnation === b.members[i].incarnation;
  return (
    a.members !== undefined &&
    a.members.length === b.members?.length &&
    a.members.every(alike) &&
    a.quorums.name === b.quorums.name
  );
}

/** Throws InvariantError where its quorums do not meet. */
export function configurationOf({ number, members, quorums }: Configuration): PaxosConfiguration {
  const replicas = members.map(({ id }) => id);
  return { number, replicas, quorums: quorumSystem(quorums, replicas), members };
}

/** What is wrong with a configuration as the successor of another; undefined when nothing is. */
export function successorProblem(number: number, next: Configuration): string | undefined {
  if (next.number !== number + 1) return `configuration ${next.number} does not follow ${number}`;
  return quorumProblem(
    next.quorums,
    next.members.map(({ id }) => id),
  );
}

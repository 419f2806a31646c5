import type { ReplicaId } from '../kernel/index.js';
import type { PaxosOptions, QuorumSystem } from '../paxos/index.js';

/**
 * Settings that all replicas must have alike, as text by name. Kept with the disk and said in every Hello. A name that
 * only one side knows (of another version) is not compared.
 */
export type Agreement = Readonly<Record<string, string>>;

/** Who decides, and how: fixed when the cluster is formed. With another set, two quorums need not meet. */
const FIXED: readonly string[] = ['replicas', 'quorums'];

export function agreementOf(options: {
  readonly replicas: readonly { readonly id: ReplicaId }[];
  readonly quorums: QuorumSystem;
  readonly paxos: Pick<PaxosOptions, 'electionTimeoutMs' | 'leaseMs' | 'clockDriftRatio'>;
}): Agreement {
  const { electionTimeoutMs, leaseMs, clockDriftRatio } = options.paxos;
  return {
    replicas: idsText(options.replicas.map(({ id }) => id)),
    quorums: options.quorums.name,
    electionTimeoutMs: String(electionTimeoutMs),
    leaseMs: String(leaseMs),
    clockDriftRatio: String(clockDriftRatio),
  };
}

/** What a disk or a peer without an agreement (version 0.1.0) still says about it: whom it formed the cluster with. */
export function agreementFound(of: {
  readonly agreement?: Agreement | undefined;
  readonly formedWith: Readonly<Record<string, string>>;
}): Agreement {
  if (of.agreement !== undefined) return of.agreement;
  const ids = Object.keys(of.formedWith).map(Number);
  return ids.length === 0 ? {} : { replicas: idsText(ids) };
}

const idsText = (ids: readonly (ReplicaId | number)[]): string => [...ids].sort((a, b) => a - b).join(', ');

interface Difference {
  readonly name: string;
  readonly theirs: string;
  readonly ours: string;
  /** No restart may change it. */
  readonly fixed: boolean;
}

/** Those that are fixed come first. */
export function differences(theirs: Agreement, ours: Agreement): readonly Difference[] {
  return Object.keys(ours)
    .filter((name) => theirs[name] !== undefined && theirs[name] !== ours[name])
    .map((name) => ({ name, theirs: theirs[name]!, ours: ours[name]!, fixed: FIXED.includes(name) }))
    .sort((a, b) => Number(b.fixed) - Number(a.fixed));
}

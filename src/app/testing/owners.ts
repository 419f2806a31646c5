/** Who owns a partition now. */
export interface Owner {
  readonly topic: string;
  readonly partition: number;
  readonly memberId: string;
  readonly clientId: string;
  /** Generation of the group. */
  readonly epoch: number;
  /** The fencing token of the owner; undefined while it holds none. */
  readonly token: number | undefined;
}

interface Member {
  readonly memberId: string;
  readonly clientId: string;
  readonly partitions?:
    readonly { readonly topic: string; readonly partitions: readonly number[] }[] | null | undefined;
}
interface Grant {
  readonly scope: string;
  readonly owner: string;
  readonly token: bigint | number;
}

/** By topic and partition. `epoch`: the generation of the group. */
export function ownersIn(
  group: string,
  epoch: number,
  members: readonly Member[],
  grants: readonly Grant[],
): Owner[] {
  // A scope ends with topic and partition.
  const tokens = new Map(
    grants.map(({ scope, owner, token }) => [
      `${decodeURIComponent(scope.slice(group.length + 1))}/${owner}`,
      Number(token),
    ]),
  );
  return members
    .flatMap(({ memberId, clientId, partitions }) =>
      (partitions ?? []).flatMap(({ topic, partitions: owned }) =>
        owned.map((partition) => ({
          topic,
          partition,
          memberId,
          clientId,
          epoch,
          token: tokens.get(`${topic}/${partition}/${memberId}`),
        })),
      ),
    )
    .sort((a, b) => a.topic.localeCompare(b.topic) || a.partition - b.partition);
}

export interface StableOptions {
  /** So many members; default: any number. */
  readonly members?: number;
  /** Milliseconds; default 30 s. */
  readonly withinMs?: number;
}
export const STABLE_WITHIN_MS = 30_000;

/** For the error of a wait that was in vain. */
export const stableText = (group: string, members: number | undefined): string =>
  `the group ${group} is stable with ${members === undefined ? 'members' : `${members} member(s)`}`;

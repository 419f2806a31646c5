import { basename } from 'node:path';
import { disksOf, numberOf } from '../replica/index.js';
import type { StoppedDisk } from '../storage/index.js';
import type { StartJson } from './shapes.js';

/** What a start on this disk does. `problem`: what it cannot read, and would end for. */
export function startOn(disk: StoppedDisk, problem: string | undefined): StartJson {
  const mends = mendsOn(disk);
  if (problem !== undefined) return { does: 'refuses', why: problem, mends };
  return { ...standingOn(disk), mends };
}

function standingOn({ identity, condition, segments }: StoppedDisk): Pick<StartJson, 'does' | 'why'> {
  if (identity === undefined) {
    const what =
      segments.length === 0 ? 'The directory holds no identity and no log.' : 'The identity is gone.';
    return {
      does: 'forms',
      why: `${what} The replica takes part when it has met all others; it follows without a vote if they remember another disk of it.`,
    };
  }
  const { replicaId: self, incarnation } = identity;
  const [disks, number] = [disksOf(identity), numberOf(identity)];
  const known = disks[self];
  if (condition.kind === 'corrupt' && known !== undefined)
    return {
      does: 'learns',
      why: 'What this disk promised and acknowledged cannot be read. The replica counts as one with another disk: it follows the others and does not vote.',
    };
  if (known !== undefined && known !== incarnation)
    return {
      does: 'learns',
      why: `${number > 0 ? `Since change ${number} of the replicas another disk of this replica has its vote` : 'The cluster was formed with another disk of this replica'} (${known}): an earlier start found damage, a peer remembered more, or it was replaced. It follows the others and does not vote.`,
    };
  if (known === undefined && Object.keys(disks).length > 0)
    return {
      does: 'learns',
      why:
        number > 0
          ? `It has no vote in the cluster since change ${number} of the replicas.`
          : 'The cluster was formed without it: it follows the others until a plan gives it a vote.',
    };
  if (known === undefined)
    return {
      does: 'forms',
      why: 'The cluster has not formed yet: the replica takes part when it has met all others.',
    };
  const others = Object.keys(disks).length - 1;
  return {
    does: 'votes',
    why:
      others === 0
        ? 'It is the only replica of its cluster.'
        : `It votes when it has met a quorum of replicas ${Object.keys(disks).join(', ')}, and none of them remembers more of this disk than it holds.`,
  };
}

function mendsOn({ condition, unfinished, segments }: StoppedDisk): readonly string[] {
  const last = segments.at(-1);
  return [
    ...unfinished.map((path) => `removes ${basename(path)}, which was being created and holds nothing`),
    ...(condition.kind === 'intact' && condition.droppedBytes > 0 && last !== undefined
      ? [
          `drops ${condition.droppedBytes} bytes at offset ${last.end.offset} of ${basename(last.path)}, cut off by a crash before they were acknowledged`,
        ]
      : []),
    ...(condition.kind === 'corrupt'
      ? ['gives the disk a new incarnation, and sets the log aside in corrupt-N; nothing of it is used']
      : []),
  ];
}

import { createInterface } from 'node:readline/promises';
import type { Command } from 'commander';
import { backUpSurvivor, OfflineError, survivor, type SurvivorJson } from '../offline/index.js';
import type { CliSurroundings } from './ask.js';
import { table } from './format.js';
import { OFFLINE_CODES } from './offline-codes.js';

interface RecoverOptions {
  readonly data: string;
  readonly to?: string;
  readonly clusterId?: string;
  readonly json?: boolean;
}

/** `quorate recover --data DIR --to FILE`: offline, for the last survivor. */
export function addRecover(program: Command, around: CliSurroundings): void {
  const { print, fail, version } = around;
  program
    .command('recover')
    .description(
      'when the majority is gone for ever: what one surviving replica holds, as a backup for a new cluster',
    )
    .requiredOption('--data <directory>', 'the data directory of the survivor; it is only read')
    .option('--to <file>', 'write the backup here; without it, only say what there is')
    .option('--cluster-id <id>', 'the id of the cluster that is given up, in place of typing it')
    .option('--json', 'print what there is as JSON')
    .addHelpText('after', HELP)
    .action(async ({ data, to, clusterId, json = false }: RecoverOptions) => {
      try {
        const found = await survivor(data);
        print(json ? JSON.stringify(found, null, 2) : survivorText(found));
        if (to === undefined) return;
        const typed = clusterId ?? (await typedId(around));
        if (typed !== found.clusterId)
          return fail(
            typed === undefined
              ? 'nothing was written: type the cluster id, or give it with --cluster-id'
              : `nothing was written: the cluster is ${found.clusterId}, and not "${typed}"`,
            2,
          );
        const { bytes, end } = await backUpSurvivor(data, to, version);
        if (!json) print(`\n${to}: ${bytes} bytes, read back, SHA-256 ${end.sha256}\n${nextText(to, found)}`);
      } catch (error) {
        if (!(error instanceof OfflineError)) throw error;
        fail(error.message, OFFLINE_CODES[error.reason]);
      }
    });
}

const HELP = `
Only when a majority of disks is lost for ever. While one of the other disks may come back, bring it back: then nothing is lost.
Exit codes: 0 done, 2 wrong use or not confirmed, 3 a replica runs on the directory, 5 the directory is damaged.`;

/** Undefined without a terminal. */
async function typedId({ terminal }: CliSurroundings): Promise<string | undefined> {
  if (terminal() === undefined) return undefined;
  const lines = createInterface({ input: process.stdin, output: process.stdout });
  try {
    return (await lines.question('\nType the id of the cluster that is given up: ')).trim();
  } finally {
    lines.close();
  }
}

function survivorText({
  clusterId,
  replicaId: self,
  lastWriteAt,
  position,
  others,
  shards,
}: SurvivorJson): string {
  const rows = shards.map(
    ({ shard, chosenThrough, acceptedBeyond, lastBallotOf, lastCommandAt, groups, offsets }) => [
      shard,
      chosenThrough,
      acceptedBeyond,
      lastBallotOf === null ? '-' : lastBallotOf === self ? 'this replica' : `replica ${lastBallotOf}`,
      lastCommandAt ?? '-',
      groups,
      offsets,
    ],
  );
  const ledElsewhere = shards.filter(({ lastBallotOf }) => lastBallotOf !== null && lastBallotOf !== self);
  return `replica ${self} of cluster ${clusterId} last wrote at ${lastWriteAt}

${table(['SHARD', 'CHOSEN', 'ACCEPTED BEYOND', 'LAST BALLOT OF', 'LAST COMMAND', 'GROUPS', 'OFFSETS'], rows)}

This disk stands at record ${position}. ${others.map(({ id, position: theirs }) => (theirs === null ? `Of the disk of replica ${id} nothing is known.` : `That of replica ${id} stood at record ${theirs} of its own log when it was heard last.`)).join(' ')}

What may be lost: all that the others acknowledged without this replica. ${lossText(ledElsewhere.length, shards.length)}
What was accepted here beyond what is known to be chosen is kept: some of it may have been acknowledged to nobody.`;
}

function lossText(elsewhere: number, all: number): string {
  if (elsewhere === 0)
    return 'Of every shard the last leader that it knows of is itself: nothing is lost, unless another led after its last write, or its own last campaign was not won.';
  return `${elsewhere} of ${all} shards were led by another: each may lack whatever that one acknowledged with the other replicas, at the latest since the last command above, and all that a later leader did.`;
}

const nextText = (to: string, { replicaId: self }: SurvivorJson): string => `
Make a new cluster of it:

  quorate restore ${to} --data NEW_DIRECTORY --replica-id ${self}

It gets an id of its own, and replicas of the old cluster are refused for ever. Never start them again: they do not know of the new
cluster, and would serve clients that reach them. Keep the old directories until you have compared what is there.`;

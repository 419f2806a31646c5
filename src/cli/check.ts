import type { Command } from 'commander';
import { checkDirectory, type CheckJson, OfflineError } from '../offline/index.js';
import type { CliSurroundings } from './ask.js';
import { table } from './format.js';
import { OFFLINE_CODES } from './offline-codes.js';

/** `quorate check DIR`: offline. */
export function addCheck(program: Command, { print, fail }: CliSurroundings): void {
  program
    .command('check')
    .description(
      'look through the data directory of a replica that is stopped, and say what a start on it would do',
    )
    .argument('<directory>')
    .option('--json', 'print what was found as JSON')
    .addHelpText('after', HELP)
    .action(async (directory: string, { json = false }: { readonly json?: boolean }) => {
      let found: CheckJson;
      try {
        found = await checkDirectory(directory);
      } catch (error) {
        if (!(error instanceof OfflineError)) throw error;
        return fail(error.message, OFFLINE_CODES[error.reason]);
      }
      print(json ? JSON.stringify(found, null, 2) : checkText(found));
      if (found.verdict !== 'sound') fail(VERDICTS[found.verdict].text, VERDICTS[found.verdict].code);
    });
}

const VERDICTS = {
  damaged: { code: 1, text: 'acknowledged records are lost or another disk is remembered: no vote' },
  refused: { code: 5, text: 'a replica does not start on this directory' },
} as const;

const HELP = `
Nothing is changed, and nobody is kept out: it works on a read-only mount or a copy.
Exit codes: 0 sound (a tail that a crash cut off included: it was never acknowledged), 1 a start works, but the replica has no
vote, 2 wrong use or no such directory, 3 a replica runs on it, 5 a start refuses.`;

function checkText({ directory, verdict, start, identity, log, shards, notes }: CheckJson): string {
  const lines = [
    `${directory}: ${identity === null && log?.segments.length === 0 ? 'empty' : verdict}`,
    '',
    ...(identity === null ? ['identity   none'] : identityLines(identity)),
    ...(log === null ? [] : logLines(log)),
    ...notes.map((note) => `note       ${note}`),
    '',
    ...(shards.length === 0 ? [] : [shardsTable(shards), '']),
    ...shards.flatMap(({ shard, problem }) => (problem === null ? [] : [`shard ${shard}: ${problem}`, ''])),
    `A start ${start.does === 'forms' ? 'waits for the cluster to form' : START_WORDS[start.does]}. ${start.why}`,
    ...start.mends.map((mend) => `Before that it ${mend}.`),
  ];
  return lines.join('\n');
}

const START_WORDS = { votes: 'votes', learns: 'learns', refuses: 'refuses', forms: 'forms' } as const;

function identityLines(identity: NonNullable<CheckJson['identity']>): readonly string[] {
  const { clusterId, replicaId, shards, incarnation, agreement, peers } = identity;
  return [
    `identity   replica ${replicaId} of cluster ${clusterId}, ${shards} shards, incarnation ${incarnation}`,
    `settings   ${
      Object.entries(agreement)
        .map(([name, value]) => `${name}: ${value}`)
        .join('; ') || 'not recorded'
    }`,
    ...peers.map(
      ({ id, incarnation: theirs, position }) =>
        `peer ${id}     incarnation ${theirs}${position === null ? '' : `, its disk stood at record ${position}`}`,
    ),
  ];
}

function logLines({
  position,
  segments,
  tornTail,
  damage,
}: NonNullable<CheckJson['log']>): readonly string[] {
  const sum = (of: (segment: (typeof segments)[number]) => number): number =>
    segments.reduce((total, segment) => total + of(segment), 0);
  return [
    `log        ${segments.length} ${segments.length === 1 ? 'segment' : 'segments'}, ${sum(({ groups }) => groups)} groups, ${sum(({ records }) => records)} records, ${sum(({ bytes }) => bytes)} bytes; the next record is ${position}`,
    ...segments.map(
      ({ file, firstRecord, records, groups, bytes }) =>
        `           ${file}: from record ${firstRecord}, ${groups} groups, ${records} records, ${bytes} bytes`,
    ),
    ...(tornTail === null
      ? []
      : [
          `torn tail  ${tornTail.file}, offset ${tornTail.offset}: ${tornTail.bytes} bytes that were never acknowledged`,
        ]),
    ...(damage === null
      ? []
      : [
          `DAMAGE     ${damage.file}, offset ${damage.offset}: ${damage.detail}`,
          `           behind record ${damage.afterRecord}${damage.lastSlots.map(({ shard, slot }) => `; shard ${shard} behind slot ${slot}`).join('')}`,
        ]),
  ];
}

function shardsTable(shards: CheckJson['shards']): string {
  return table(
    ['SHARD', 'SNAPSHOT', 'LOG FROM', 'ACCEPTED', 'CHOSEN', 'PROMISED', 'GROUPS', 'OFFSETS'],
    shards.map(({ shard, snapshot, state }) => [
      shard,
      snapshot?.slot ?? '-',
      state?.firstSlot ?? '?',
      state?.lastSlot ?? '?',
      state?.chosenThrough ?? '?',
      state === null ? 'unreadable' : (state.promised ?? '-'),
      state?.groups ?? '?',
      state?.offsets ?? '?',
    ]),
  );
}

import type { Command } from 'commander';
import { dumpDirectory, type DumpJson, OfflineError } from '../offline/index.js';
import type { CliSurroundings } from './ask.js';
import { OFFLINE_CODES } from './offline-codes.js';

interface DumpOptions {
  readonly json?: boolean;
  readonly shard?: string;
  readonly fromSlot?: string;
  readonly limit?: string;
}

/** `quorate dump DIR`: offline. */
export function addDump(program: Command, { print, fail }: CliSurroundings): void {
  program
    .command('dump')
    .description(
      'print the entries of the log of a replica that is stopped, in the order in which they were written',
    )
    .argument('<directory>')
    .option('--json', 'print a line of JSON for each, whole')
    .option('--shard <n>', 'of this shard alone')
    .option('--from-slot <n>', 'from this slot on')
    .option('--limit <n>', 'end after so many lines')
    .addHelpText('after', HELP)
    .action(async (directory: string, options: DumpOptions) => {
      const numbers = { '--shard': options.shard, '--from-slot': options.fromSlot, '--limit': options.limit };
      for (const [name, text] of Object.entries(numbers))
        if (text !== undefined && !/^\d+$/.test(text))
          return fail(`${name} takes an integer, not "${text}"`, 2);
      const selection = { shard: numberOf(options.shard), fromSlot: numberOf(options.fromSlot) };
      const problems = new Set<string>();
      let left = numberOf(options.limit) ?? Infinity;
      try {
        for await (const line of dumpDirectory(directory, selection)) {
          if (left-- <= 0) break;
          if (line.kind === 'damage' || line.kind === 'unreadable') problems.add(line.kind);
          print(options.json === true ? JSON.stringify(line) : dumpText(line));
        }
      } catch (error) {
        if (!(error instanceof OfflineError)) throw error;
        return fail(error.message, OFFLINE_CODES[error.reason]);
      }
      if (problems.has('damage')) fail('the log is damaged: what is behind the damage is not shown', 1);
      else if (problems.size > 0) fail('some of it cannot be read by this version', 1);
    });
}

const numberOf = (text: string | undefined): number | undefined =>
  text === undefined ? undefined : Number(text);

const HELP = `
Nothing is changed, and no more than a segment of the log is in memory. An entry was accepted; whether it was chosen, "quorate check"
says. Values longer than 200 characters are cut, with --json they are whole.
Exit codes: 0 all was read, 1 damage or something that this version cannot read (the rest is printed), 2 wrong use or no such directory,
3 a replica runs on it, 5 nothing can be read.`;

const SHOWN_MAX = 200;

function dumpText(line: DumpJson): string {
  switch (line.kind) {
    case 'identity':
      return `replica ${line.replicaId} of cluster ${line.clusterId}, ${line.shards} shards, incarnation ${line.incarnation}`;
    case 'snapshot-file':
      return `${line.file}: the state of shard ${line.shard} through slot ${line.through}`;
    case 'segment':
      return `\n${line.file}: from record ${line.firstRecord}, ${line.bytes} bytes`;
    case 'promised':
      return `shard ${line.shard}  promised ${line.ballot}`;
    case 'chosen':
      return `shard ${line.shard}  chosen through slot ${line.through}`;
    case 'snapshot':
      return `shard ${line.shard}  in the snapshot through slot ${line.through}`;
    case 'configuration':
      return `shard ${line.shard}  configuration since slot ${line.since}: ${shown(line.configuration)}`;
    case 'accepted':
      return `shard ${line.shard}  slot ${line.slot}  ${line.ballot}  ${entryText(line.entry)}`;
    case 'unreadable':
      return `shard ${line.shard}  ${line.slot === null ? 'a record' : `slot ${line.slot}`}  UNREADABLE: ${line.why}`;
    case 'damage':
      return `\nDAMAGE ${line.file}, offset ${line.offset}: ${line.detail}`;
    case 'torn-tail':
      return `\ntorn tail: ${line.bytes} bytes that were never acknowledged`;
  }
}

function entryText(entry: Extract<DumpJson, { kind: 'accepted' }>['entry']): string {
  if (entry.kind === 'noop') return 'noop';
  if (entry.kind === 'seal') return `seal: next ${shown(entry.next)}`;
  const { kind, ...rest } = entry.command;
  return `${entry.at}  ${kind} ${shown(rest)}`;
}

/** `group: "billing", offsets: [...]`, cut where it gets long. */
function shown(value: object): string {
  const text = Object.entries(value)
    .map(([name, of]) => `${name}: ${JSON.stringify(of)}`)
    .join(', ');
  return text.length <= SHOWN_MAX ? text : `${text.slice(0, SHOWN_MAX)}...`;
}

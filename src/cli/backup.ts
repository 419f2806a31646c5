import type { Command } from 'commander';
import { type AdminClient, AdminClientError, type StatusJson } from '../admin/index.js';
import { type Backup, BackupWriter, OfflineError } from '../offline/index.js';
import { type CliSurroundings, clientFor, type Common, withCommonOptions } from './ask.js';
import { table } from './format.js';
import { OFFLINE_CODES } from './offline-codes.js';

/** A shard without a leader, or whose replica ends while it is read, is asked for again for so long. Milliseconds. */
const RETRY_FOR_MS = 60_000;
const RETRY_MS = 500;

/** `quorate backup FILE`: online, all shards. */
export function addBackup(program: Command, around: CliSurroundings): void {
  withCommonOptions(
    program
      .command('backup')
      .description(
        'write the state of a running cluster into a file, from which "quorate restore" makes a new cluster',
      )
      .argument('<file>'),
  )
    .addHelpText('after', HELP)
    .action(async (path: string, options: Common) => {
      const { print, fail, version } = around;
      try {
        const backup = await backUp(clientFor(around, options), path, version, (told) => {
          if (options.json !== true) print(told);
        });
        print(options.json === true ? JSON.stringify(backup, null, 2) : doneText(backup));
      } catch (error) {
        if (error instanceof OfflineError) return fail(error.message, OFFLINE_CODES[error.reason]);
        if (!(error instanceof AdminClientError)) throw error;
        fail(`${error.message}\nNo backup was written.`, error.status === 0 ? 3 : 1);
      }
    });
}

const HELP = `
Each shard is as it was at one slot, with all that was acknowledged before the backup began. Shards are read one after the other,
shard 0 (the topics) last. The file has its name when it was read back and every checksum is right.
Exit codes: 0 done, 1 refused, 2 wrong use, 3 no replica gives a shard, 5 what was written cannot be read back.`;

async function backUp(
  admin: AdminClient,
  path: string,
  version: string,
  tell: (text: string) => void,
): Promise<Backup> {
  const startedAt = new Date().toISOString();
  const {
    clusterId,
    shards: { length: shards },
  } = await admin.request<StatusJson>('GET', '/status');
  if (shards === 0)
    throw new AdminClientError('the cluster has not formed yet: there is nothing to back up', 503);
  const writer = await BackupWriter.create(path, { clusterId, shards, startedAt, kind: 'online', version });
  try {
    // Shard 0 last: a topic that it does not know then was deleted, and was not made since.
    for (const shard of [...Array.from({ length: shards - 1 }, (_, index) => index + 1), 0])
      tell(await oneShard(admin, writer, shard, clusterId));
    return await writer.finish(new Date().toISOString());
  } catch (error) {
    await writer.discard();
    throw error;
  }
}

/** Until it is there as a whole. */
async function oneShard(
  admin: AdminClient,
  writer: BackupWriter,
  shard: number,
  clusterId: string,
): Promise<string> {
  const until = performance.now() + RETRY_FOR_MS;
  for (;;) {
    try {
      const stream = await admin.shard(shard);
      if (stream.clusterId !== clusterId)
        throw new OfflineError(
          `the replicas are of different clusters, ${clusterId} and ${stream.clusterId}: correct --url`,
          'wrong-use',
        );
      const bytes = await writer.shard({ shard, slot: stream.slot }, stream.chunks);
      return `shard ${shard}: through slot ${stream.slot}, ${bytes} bytes from ${stream.from}`;
    } catch (error) {
      if (!(error instanceof AdminClientError) || performance.now() > until) throw error;
      await new Promise((resume) => setTimeout(resume, RETRY_MS));
    }
  }
}

const doneText = ({ path, bytes, head, end, shards }: Backup): string => `
${table(
  ['SHARD', 'SLOT', 'BYTES'],
  shards.map((shard) => [shard.shard, shard.slot, shard.bytes]),
)}

${path}: ${bytes} bytes of cluster ${head.clusterId}, read back, SHA-256 ${end.sha256}
It holds all that was acknowledged before ${head.startedAt}, and of what came until ${end.endedAt} what the slots above say.`;

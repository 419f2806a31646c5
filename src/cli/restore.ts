import { randomBytes } from 'node:crypto';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { replicaId, wallMs } from '../kernel/index.js';
import { type Backup, type NewCluster, OfflineError, openBackup, restoreBackup } from '../offline/index.js';
import type { CliSurroundings } from './ask.js';
import { OFFLINE_CODES } from './offline-codes.js';

interface RestoreOptions {
  readonly data: string;
  readonly replicaId: string;
  readonly clusterId?: string;
  readonly at?: string;
  readonly json?: boolean;
}

/** `quorate restore FILE --data DIR`: offline, a new cluster. */
export function addRestore(program: Command, { print, fail }: CliSurroundings): void {
  program
    .command('restore')
    .description('make the data directory of a replica of a new cluster from a backup')
    .argument('<file>')
    .requiredOption('--data <directory>', 'the directory to make: new, or empty')
    .option('--replica-id <id>', 'of the replica that will run on it', '1')
    .option('--cluster-id <id>', 'of the new cluster; default: a new one')
    .option('--at <time>', 'when the new cluster begins, as the first restore printed it; default: now')
    .option('--json', 'print what was done as JSON')
    .addHelpText('after', HELP)
    .action(async (path: string, options: RestoreOptions) => {
      try {
        const cluster = clusterOf(options);
        const backup = await openBackup(path);
        await restoreBackup(backup, options.data, replicaId(Number(options.replicaId)), cluster);
        const { clusterId, at } = cluster;
        const facts = { clusterId, at: new Date(at).toISOString(), replicaId: Number(options.replicaId) };
        print(options.json === true ? JSON.stringify(facts, null, 2) : doneText(backup, options, cluster));
      } catch (error) {
        if (!(error instanceof OfflineError)) throw error;
        fail(error.message, OFFLINE_CODES[error.reason]);
      }
    });
}

const HELP = `
Topics, offsets, ends and records are kept. Nobody is a member; generations and fence tokens begin above all that were given. The new
cluster has an id of its own: replicas of the old one are refused. For a cluster of three, restore the same file for each of them,
with the same --cluster-id and --at: replicas that begin with something else are refused.
Exit codes: 0 done, 2 wrong use, 5 the backup is damaged. What did not finish is not started on.`;

function clusterOf({ replicaId: id, clusterId, at }: RestoreOptions): NewCluster {
  const wrong = (message: string): OfflineError => new OfflineError(message, 'wrong-use');
  if (!/^\d{1,9}$/.test(id)) throw wrong(`--replica-id takes the id of a replica, not "${id}"`);
  if (clusterId !== undefined && !/^[A-Za-z0-9_-]{22}$/.test(clusterId))
    throw wrong(`--cluster-id takes 22 characters as "quorate cluster-id" prints them, not "${clusterId}"`);
  const begins = at === undefined ? Date.now() : Date.parse(at);
  if (Number.isNaN(begins)) throw wrong(`--at takes a time such as ${new Date().toISOString()}, not "${at}"`);
  return { clusterId: clusterId ?? randomBytes(16).toString('base64url'), at: wallMs(begins) };
}

function doneText(
  { path, head }: Backup,
  { data, replicaId: id }: RestoreOptions,
  { clusterId, at }: NewCluster,
): string {
  const time = new Date(at).toISOString();
  return `${resolve(data)} is the data of replica ${id} of the new cluster ${clusterId}.

Its settings: "clusterId": "${clusterId}", "replicaId": ${id}, "shards": ${head.shards}. It starts alone if it is the only one in
"replicas". For a cluster of several, on the machine of each other replica, with its id:

  quorate restore ${path} --data DIRECTORY --replica-id ID --cluster-id ${clusterId} --at ${time}

Keep the old cluster (${head.clusterId}) stopped: it does not know of this one, and would go on for clients that reach it.`;
}

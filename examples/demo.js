// npm run demo: a cluster of three replicas and three workers; a worker is killed, then the leading replica.
// With `-- --kafkajs` the workers are on kafkajs instead of quorate/worker.
// Prints what happened, checks that no partition ever had two owners and that no acknowledged commit is missing,
// and exits 0 or 1. Everything runs on free ports and in a directory of its own, both gone afterwards.
import { parseArgs } from 'node:util';
import kafkajs from 'kafkajs';
import { ended, Stage } from './stage.js';

const GROUP = 'billing';
const TOPIC = 'tenants';
const SESSION_MS = 5_000;
const PARTITIONS = 8;
const COMMIT_MS = 100;
const TIMEOUT_MS = 20_000;
const { values } = parseArgs({ options: { kafkajs: { type: 'boolean', default: false } } });
const WORKER = values.kafkajs ? 'examples/worker-kafkajs.js' : 'examples/worker.js';
const began = Date.now();
const problems = [];
const stage = new Stage(TIMEOUT_MS);
const { say, sleep } = stage;
const eventually = (what, probe) => stage.eventually(what, probe);
const start = (args, onLine) => stage.start(args, onLine);

/** Who works on which partition, as the workers say: the one record that the coordinator has no hand in. */
class Watch {
  /** partition -> name of the worker, as heard so far */
  owners = new Map();
  commits = 0;
  lastCommitAt = new Map();
  /** What was heard of each partition, to be ordered by time: two processes are not heard in the order in which they speak. */
  #heard = new Map();

  see(event) {
    const { name, at, partition, kind } = event;
    if (kind === 'generation') say(name, `is in generation ${event.generation}`, at);
    if (kind === 'problem' || kind === 'crashed') say(name, event.error, at);
    if (!['takes', 'gives', 'committed'].includes(kind)) return;
    this.#heard.set(partition, [...(this.#heard.get(partition) ?? []), event]);
    if (kind === 'takes') this.owners.set(partition, name);
    if (kind === 'gives' && this.owners.get(partition) === name) this.owners.delete(partition);
    if (kind !== 'committed') return say(name, `${kind} ${TOPIC}[${partition}]`, at);
    this.commits++;
    this.lastCommitAt.set(name, at);
  }

  /** It was killed, and could not say so. Gives what it had. */
  end(name, at) {
    const had = [...this.owners].filter(([, owner]) => owner === name).map(([partition]) => partition);
    for (const partition of had) this.see({ kind: 'gives', name, at, partition });
    return had;
  }

  /** partition -> the last acknowledged commit. Says what must not be: two at a time, commits that go back. */
  judge() {
    const last = new Map();
    for (const [partition, events] of this.#heard) {
      let owner;
      for (const { kind, name, offset, generation } of events.sort((one, other) => one.at - other.at)) {
        if (kind === 'gives') owner = undefined;
        if (kind === 'takes') {
          if (owner !== undefined)
            problems.push(`partition ${partition} was taken by ${name} while ${owner} had it`);
          owner = name;
        }
        if (kind !== 'committed') continue;
        const before = last.get(partition);
        if (before !== undefined && (generation < before.generation || offset <= before.offset))
          problems.push(
            `partition ${partition}: ${name} committed ${offset} in generation ${generation} after ${before.name} had ${before.offset} in generation ${before.generation}`,
          );
        last.set(partition, { offset, name, generation });
      }
    }
    return last;
  }
}

async function demo(directory) {
  const { cluster, brokers, get } = await stage.startCluster(directory);
  const watch = new Watch();
  const workers = new Map();
  for (const name of ['anna', 'bert', 'cleo']) {
    const args = [WORKER, '--events', '--name', name, '--group', GROUP, '--topic', TOPIC];
    const settings = ['--brokers', brokers.join(','), '--session-ms', SESSION_MS, '--commit-ms', COMMIT_MS];
    const worker = start([...args, ...settings], (line) => watch.see(JSON.parse(line)));
    worker.once('exit', (code) => {
      if (code !== null && code !== 0) problems.push(`the worker ${name} ended with ${code}`);
    });
    workers.set(name, worker);
  }
  const working = (names, since) => names.every((name) => (watch.lastCommitAt.get(name) ?? 0) > since);
  await eventually('all three workers commit', () => working([...workers.keys()], began));
  await sleep(1_000);

  // Not in the middle of a hand-over, of which there may be several while they come.
  const allOwned = () => watch.owners.size === PARTITIONS;
  await eventually('every partition has an owner', allOwned);
  say('demo', 'kills the worker bert (SIGKILL)');
  workers.get('bert').kill('SIGKILL');
  await ended(workers.get('bert'));
  const killedAt = Date.now();
  const bert = watch.end('bert', killedAt);
  workers.delete('bert');
  await eventually('the others take over what bert had', () => bert.every((p) => watch.owners.has(p)));
  say(
    'demo',
    `${TOPIC}[${bert.join(',')}] is owned again ${((Date.now() - killedAt) / 1000).toFixed(1)} s later: ${SESSION_MS / 1000} s of session, then the hand-over`,
  );
  const handedOverAt = Date.now();
  await eventually('both commit', () => working([...workers.keys()], handedOverAt));
  await sleep(1_000);

  await eventually('every partition has an owner', allOwned);
  const before = (await get(1, `/groups/${GROUP}`)).group;
  const { pid } = await get(before.leader, '/status');
  say('demo', `kills replica ${before.leader}, which leads the group (SIGKILL)`);
  const failedAt = Date.now();
  process.kill(pid, 'SIGKILL');
  const acknowledgedBefore = watch.commits;
  const survivor = before.leader === 1 ? 2 : 1;
  // At once: the killed replica is started again soon, and then leads again what is its own.
  const takenOver = eventually('another replica leads', async () => {
    const { group } = await get(survivor, `/groups/${GROUP}`);
    return group.leader !== null && group.leader !== before.leader && group;
  });
  await eventually('a commit is acknowledged again', () => watch.commits > acknowledgedBefore + 2);
  await eventually('both commit again', () => working([...workers.keys()], failedAt + 20));
  const firstGapMs = Math.min(...[...watch.lastCommitAt.values()].filter((at) => at > failedAt)) - failedAt;
  const after = await takenOver;
  say(
    'demo',
    `replica ${after.leader} leads; the first worker commits again ${firstGapMs} ms after the kill`,
  );
  if (after.generation !== before.generation)
    problems.push(`the generation changed with the leader: ${before.generation} became ${after.generation}`);
  else
    say(
      'demo',
      `it took over in generation ${after.generation}, with the same members and the same partitions`,
    );
  await eventually('the killed replica is back', async () => (await get(before.leader, '/status')).ready);
  await sleep(500);

  for (const worker of workers.values()) worker.kill('SIGTERM');
  await Promise.all([...workers.values()].map(ended));

  const admin = new kafkajs.Kafka({ brokers, logLevel: kafkajs.logLevel.NOTHING }).admin();
  await admin.connect();
  const [found] = await admin.fetchOffsets({ groupId: GROUP, topics: [TOPIC] });
  await admin.disconnect();
  const acknowledged = watch.judge();
  for (const [partition, { offset }] of acknowledged) {
    const kept = Number(found.partitions.find((entry) => entry.partition === partition)?.offset ?? -1);
    if (kept < offset) problems.push(`partition ${partition}: ${offset} was acknowledged, ${kept} is there`);
  }
  if (acknowledged.size === 0) problems.push('nothing was committed');
  const { rebalances } = await get(survivor, `/groups/${GROUP}/rebalances`);
  for (const { generation, assignment, trigger, totalMs } of rebalances) {
    say(
      'generation ' + generation,
      `${trigger.cause}${trigger.reason ? ` (${trigger.reason})` : ''}: stable after ${totalMs} ms`,
    );
    const seen = new Set();
    for (const { topics } of assignment)
      for (const partition of topics.flatMap(({ partitions }) => partitions)) {
        if (seen.has(partition))
          problems.push(`generation ${generation} gave partition ${partition} to two members`);
        seen.add(partition);
      }
  }
  say('demo', `${watch.commits} commits acknowledged, over ${rebalances.length} rebalances`);

  cluster.kill('SIGTERM');
  await ended(cluster);
}

await stage.perform(demo, problems, 'No partition ever had two owners. No acknowledged commit was lost.');

import { cpus, tmpdir } from 'node:os';
import { parseArgs } from 'node:util';
import { measureMachine } from './machine.js';
import { Report } from './report.js';
import { benchCommits, benchHeartbeats } from './scenes/commits.js';
import { benchFailover } from './scenes/failover.js';
import { benchLockingRedis } from './scenes/locking-redis.js';
import { benchLockingSql } from './scenes/locking-sql.js';
import { benchGroups } from './scenes/groups.js';
import { benchMembers } from './scenes/members.js';
import { benchMemory } from './scenes/memory.js';
import { benchRecords } from './scenes/locking-own.js';
import { benchWire } from './scenes/wire.js';
import { benchRestart } from './scenes/restart.js';
import { benchWorkers } from './scenes/workers.js';
import { benchPeers } from './scenes/peers.js';
import { benchSteady } from './scenes/steady.js';
import { PEER_FLAGS, peerOptions } from './peer-options.js';

/**
 * `npm run bench [-- SCENE ...] [--json]`: every figure of the README, measured here and now. The first part of a name
 * stands for all scenes that begin with it: `locking` for every store. `npm run bench -- peers --kafka HOST:PORT,...` measures
 * another system that speaks Kafka's protocol in the same run; `npm run bench -- steady --minutes 5` is about what stays as it is under load.
 */
const SCENES = {
  commits: benchCommits,
  heartbeats: benchHeartbeats,
  failover: benchFailover,
  members: benchMembers,
  groups: benchGroups,
  memory: benchMemory,
  restart: benchRestart,
  workers: benchWorkers,
  wire: benchWire,
  peers: benchPeers,
  steady: benchSteady,
  'locking-own': benchRecords,
  'locking-redis': benchLockingRedis,
  'locking-sql': benchLockingSql,
} as const;
type SceneName = keyof typeof SCENES;
/** Run only when they are named. */
const LONG: ReadonlySet<SceneName> = new Set(['peers', 'steady']);

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'boolean', default: false },
    minutes: { type: 'string', default: '5' },
    'idle-groups': { type: 'string', default: '1000' },
    ...PEER_FLAGS,
  },
});
const scenesOf = (name: string): SceneName[] =>
  (Object.keys(SCENES) as SceneName[]).filter((scene) => scene === name || scene.startsWith(`${name}-`));
const unknown = positionals.filter((name) => scenesOf(name).length === 0);
if (unknown.length > 0) {
  console.error(`no such scene: ${unknown.join(', ')}. There are: ${Object.keys(SCENES).join(', ')}`);
  process.exit(2);
}
const chosen =
  positionals.length > 0
    ? positionals.flatMap(scenesOf)
    : (Object.keys(SCENES) as SceneName[]).filter((name) => !LONG.has(name));
const peer = peerOptions(values);
if (typeof peer === 'string' || (chosen.includes('peers') && peer === undefined)) {
  console.error(peer ?? 'name the other system: npm run bench -- peers --kafka HOST:PORT,HOST:PORT,...');
  process.exit(2);
}
const steady = { minutes: Number(values.minutes), idleGroups: Number(values['idle-groups']) };
if (!(steady.minutes > 0 && Number.isInteger(steady.idleGroups) && steady.idleGroups >= 0)) {
  console.error('--minutes is a number above 0, --idle-groups a whole number');
  process.exit(2);
}

const report = new Report(values.json ? () => undefined : (line) => console.log(line));
report.title(`The machine: ${cpus().length} x ${cpus()[0]?.model ?? 'unknown'}, Node ${process.version}`);
const machine = await measureMachine(tmpdir());
report.add({ name: 'fdatasync of 4 KiB, p50', value: machine.fdatasyncMs, unit: 'ms' });
report.add({ name: 'bare fdatasync loop', value: machine.fdatasyncsPerSecond, unit: '/s' });
report.add({ name: 'loopback round trip of 64 bytes, p50', value: machine.loopbackMs, unit: 'ms' });
for (const name of chosen) await SCENES[name]({ report, machine, peer, steady });
if (values.json) console.log(JSON.stringify({ node: process.version, figures: report.figures }, null, 2));
process.exit(0);

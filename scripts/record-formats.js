/**
 * npm run record:formats: records what this version writes to disk and sends to its peers, for test/recorded/v<version>.
 * Run it once per release, before the release. Never change what is recorded of an earlier release.
 *
 * Three replicas run in this process on real disks and real TCP. Replica 3 reaches the others through a proxy that keeps
 * the bytes. It is stopped for a while, so that it must catch up with a snapshot. The disk of replica 1 is kept.
 */
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { format, resolveConfig } from 'prettier';
import { createBroker } from '../src/broker/index.ts';
import { DEFAULT_GROUP_SETTINGS } from '../src/machine/index.ts';
import { majority } from '../src/paxos/index.ts';
import { createReplica, systemClock, systemEntropy } from '../src/replica/index.ts';
import { openFileStorage } from '../src/storage/index.ts';
import { FRAME_HEADER_BYTES, frameHeader, FrameReader } from '../src/transport/framing.ts';
import { createTcpTransport } from '../src/transport/index.ts';
import { ROOT } from '../test/harness/cluster.ts';
import { GroupMember } from '../test/harness/group-member.ts';
import { logTo } from '../test/harness/lines.ts';
import { freePorts } from '../test/harness/tcp-ports.ts';
import { PAXOS_SETTINGS } from '../test/harness/simulated-world.ts';
import { eventually } from '../test/harness/waiting.ts';
import { decodedFrame } from '../test/recorded/decoded.ts';
import { recoveredMachine } from '../test/recorded/recovered.ts';

const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
const SHARDS = 2;
const IDS = [1, 2, 3];
/** `books` lives in shard 1, the others in shard 0. */
const SPACES = ['accounts', 'books', 'carts'];
/** Of the log that is kept. */
const SEGMENTS = 3;
const WITHIN_MS = 20_000;
/** Frames kept of each sender, receiver and kind. */
const FRAMES_OF_A_KIND = 1;
/** Longer frames are left out. Bytes. */
const FRAME_BYTES_MAX = 8_000;

const target = join(ROOT, 'test/recorded', `v${version}`);
const scratch = mkdtempSync(join(tmpdir(), 'quorate-record-'));
const ports = await freePorts(8);
const peerPort = (id) => ports[id - 1];
const kafka = (id) => ({ host: '127.0.0.1', port: ports[2 + id] });
const proxyPort = (id) => ports[5 + id];

const frames = [];
const counted = new Map();
function keep(from, to, payload) {
  const decoded = decodedFrame(payload);
  const kinds = [decoded.link, decoded.kind, ...(decoded.messages ?? []).map(({ message }) => message.kind)];
  const key = `${from}>${to} ${[...new Set(kinds)].join(' ')}`;
  if (payload.length > FRAME_BYTES_MAX) return;
  const count = counted.get(key) ?? 0;
  counted.set(key, count + 1);
  if (count >= FRAMES_OF_A_KIND) return;
  const bytes = Buffer.concat([frameHeader(payload), payload], FRAME_HEADER_BYTES + payload.length);
  frames.push({ from, to, bytes: bytes.toString('hex'), decoded });
}

/** Passes every byte on, and keeps the frames. */
function recordingProxy(from, to) {
  const server = createServer((caller) => {
    const called = connect(peerPort(to), '127.0.0.1');
    const pass = (source, sink, sender, receiver) => {
      const reader = new FrameReader(64 * 1024 * 1024);
      source.on('data', (chunk) => {
        reader.push(chunk, (payload) => keep(sender, receiver, payload));
        sink.write(chunk);
      });
      source.on('error', () => sink.destroy());
      source.on('close', () => sink.destroy());
    };
    pass(caller, called, from, to);
    pass(called, caller, to, from);
  });
  return new Promise((resolve) => server.listen(proxyPort(to), '127.0.0.1', () => resolve(server)));
}

async function start(id) {
  const log = logTo((level, message) => console.log(`replica ${id} ${level}: ${message}`));
  const storage = await openFileStorage({
    directory: join(scratch, `${id}`),
    segmentBytes: 4_096,
    zeroAheadBytes: 1_024,
  });
  const port = (peer) => (id === 3 ? proxyPort(peer) : peerPort(peer));
  const replica = createReplica({
    self: id,
    clusterId: 'recorded-cluster-00000',
    shards: SHARDS,
    replicas: IDS.map((peer) => ({ id: peer, kafka: kafka(peer) })),
    quorums: majority(IDS),
    http: undefined,
    paxos: { ...PAXOS_SETTINGS, retainedEntries: 8 },
    groupSettings: DEFAULT_GROUP_SETTINGS,
    retentionSweepMs: 600_000,
    compactionBytes: 24_576,
    storage,
    transport: createTcpTransport({
      self: id,
      listen: { host: '127.0.0.1', port: peerPort(id) },
      peers: IDS.filter((peer) => peer !== id).map((peer) => ({
        id: peer,
        host: '127.0.0.1',
        port: port(peer),
      })),
      log,
    }),
    clock: systemClock,
    entropy: systemEntropy,
    log,
    onFatal: (reason) => {
      throw new Error(`replica ${id}: ${reason}`);
    },
  });
  await replica.start();
  const broker = createBroker({ coordinator: replica, ...kafka(id), log });
  await broker.start();
  return {
    replica,
    stop: async () => {
      await broker.stop();
      await replica.stop(0);
    },
  };
}

const proxies = [await recordingProxy(3, 1), await recordingProxy(3, 2)];
const running = {};
for (const id of IDS) running[id] = await start(id);
const leader = (shard) => Object.values(running).find(({ replica }) => replica.serves(shard))?.replica;
await eventually('every shard has a leader', WITHIN_MS, () => leader(0) && leader(1));
const atHome = () => running[1].replica.serves(0) && running[2].replica.serves(1);
await eventually('the preferred leaders lead', WITHIN_MS, atHome);

const submit = (replica, shard, command) =>
  eventually(`a ${command.kind} succeeds`, WITHIN_MS, async () => {
    const outcome = await new Promise((resolve) => replica.submitAnywhere(shard, command, resolve));
    return outcome.kind === 'ok' ? outcome.reply : undefined;
  });
const write = (replica, space, operations) =>
  submit(replica, replica.shardOf(space), { kind: 'record.write', space, operations, atomic: true });
const topic = { kind: 'topic.create', partitions: 6, partitionsMax: 100 };
// Through replica 3, which forwards to the leader: the frames of a forwarded command are recorded.
const third = running[3].replica;
await submit(third, 0, { ...topic, name: 'orders', newId: '0d0c3c11-5b0a-4c39-9bd4-3c1c4a4a9b01' });
const said = { kind: 'topic.setEnds', name: 'orders', ends: [{ partition: 0, offset: 900 }] };
await submit(third, 0, { ...said, back: false });
await submit(third, 0, { ...said, back: true });
await submit(third, 0, { ...topic, name: 'returns', newId: '0d0c3c11-5b0a-4c39-9bd4-3c1c4a4a9b02' });
await submit(third, 0, { kind: 'topic.delete', name: 'returns', id: '' });

const members = [];
for (const group of ['billing', 'shipping']) {
  const member = new GroupMember({
    bootstrap: [kafka(1), kafka(2)],
    group,
    topic: 'orders',
    partitions: 6,
    sessionTimeoutMs: 60_000,
    requestTimeoutMs: 5_000,
  });
  await member.start();
  for (let partition = 0; partition < 6; partition++) await member.commit(partition, 100 * (partition + 1));
  members.push(member);
}
const balance = (json) => [{ name: 'balance', json }];
const fence = { scope: 'billing/orders/0', token: 7n, owner: 'worker-1' };
await write(third, 'accounts', [{ kind: 'insert', id: '42', fields: balance('10'), fence: null }]);
await write(third, 'accounts', [{ kind: 'insert', id: '43', fields: balance('1'), fence }]);
await running[3].stop();
delete running[3];

const { replica: first } = running[1];
const versions = {};
const update = (space, text) => {
  const version = versions[space]++;
  const fields = balance(JSON.stringify(`${version} ${text}`));
  return write(first, space, [{ kind: 'update', id: 'big', version, fields, replace: true, fence: null }]);
};
for (const space of SPACES) {
  await write(first, space, [{ kind: 'insert', id: 'big', fields: balance('0'), fence: null }]);
  versions[space] = 1;
}
// Until both have compacted their logs behind this point: replica 3 must then be sent snapshots.
const applied = (shard) => first.status().shards[shard].appliedThrough;
const behind = [0, 1].map((shard) => applied(shard) + 40);
const snapshotThrough = (id, shard) =>
  Math.max(
    0,
    ...readdirSync(join(scratch, `${id}`))
      .filter((name) => name.startsWith(`snapshot-${shard}-`) && !name.endsWith('.tmp'))
      .map((name) => Number(name.split('-')[2])),
  );
const compacted = () =>
  [1, 2].every((id) => behind.every((slot, shard) => snapshotThrough(id, shard) >= slot));
await eventually('the logs are compacted', WITHIN_MS, async () => {
  for (const space of SPACES) await update(space, 'x'.repeat(80));
  return compacted();
});
running[3] = await start(3);
const level = () => {
  const [one, ...others] = Object.values(running).map(({ replica }) =>
    replica.status().shards.map(({ appliedThrough, hash }) => ({ appliedThrough, hash })),
  );
  return others.every((other) => JSON.stringify(other) === JSON.stringify(one)) ? one : undefined;
};
await eventually('replica 3 has caught up', WITHIN_MS, level);
// After the last snapshot, so that the log has entries behind it.
await update('books', 'behind the snapshot');
const segments = () => readdirSync(join(scratch, '1')).filter((name) => name.endsWith('.wal')).length;
while (segments() < SEGMENTS) await update('carts', 'x'.repeat(80));
const seen = { kind: 'update', id: '42', version: 1, fields: balance('25'), replace: false, fence };
await write(first, 'accounts', [seen]);
for (const member of members) await member.commit(0, 150);
// A leader tells its followers with the next command that the last one was chosen: these two come after all the above.
for (const space of ['accounts', 'books']) for (let i = 0; i < 2; i++) await update(space, 'last');
await eventually('all have applied the same', WITHIN_MS, level);

const audited = () => [...counted.keys()].some((key) => key.endsWith('audit'));
await eventually('hashes are compared', WITHIN_MS, audited);
for (const member of members) await member.abandon();
for (const id of [1, 2, 3]) await running[id].stop();
for (const proxy of proxies) proxy.close();

rmSync(target, { recursive: true, force: true });
mkdirSync(target, { recursive: true });
cpSync(join(scratch, '1'), join(target, 'disk'), { recursive: true });
const save = async (name, value) => {
  const path = join(target, name);
  const options = await resolveConfig(path);
  writeFileSync(path, await format(JSON.stringify(value), { ...options, filepath: path }));
};
const told = { version, replicaId: 1, replicas: IDS, shards: Array.from({ length: SHARDS }) };
const opened = await openFileStorage({ directory: join(scratch, '1') });
const records = [...opened.records];
const shards = [];
for (let shard = 0; shard < SHARDS; shard++) {
  const { appliedThrough, hash } = await recoveredMachine(opened, records, shard, told);
  shards.push({ appliedThrough, hash });
}
await opened.storage.close();
rmSync(scratch, { recursive: true });
await save('manifest.json', { ...told, shards });
await save('peer-frames.json', frames);
console.log([...counted].map(([key, count]) => `${count} x ${key}`).join('\n'));

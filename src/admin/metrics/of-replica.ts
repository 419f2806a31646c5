import { byLabel, type Metric } from './definition.js';

/** As measured, beside what is in the log. A member of Java's client; its own metadata and assignment are 100 bytes of it. */
const GROUP_BYTES = 2_700;
const MEMBER_BYTES = 1_200;
const OFFSET_BYTES = 23;

const sum = <T>(all: readonly T[], value: (each: T) => number): number =>
  all.reduce((total, each) => total + value(each), 0);

/** The replica, its peers, its disk and its process. */
export const OF_REPLICA: readonly Metric[] = [
  {
    name: 'quorate_info',
    kind: 'gauge',
    labels: ['version', 'quorums'],
    help: '1; the version and the quorum system are in the labels.',
    read: ({ source, status }) => [
      { labels: { version: source.version, quorums: status.quorums }, value: 1 },
    ],
  },
  {
    name: 'quorate_feature_level',
    kind: 'gauge',
    labels: ['of'],
    help: 'What this replica knows (own), what every replica knows (all), and what the cluster uses (used): less than all until it is switched on by quorate upgrade.',
    read: ({ status }) =>
      byLabel('of', {
        own: status.featureLevel,
        all: status.featureLevelOfAll,
        used: status.featureLevelUsed,
      }),
  },
  {
    name: 'quorate_ready',
    kind: 'gauge',
    labels: [],
    help: '1 when clients may be sent to this replica.',
    read: ({ source }) => [{ value: source.readiness().ready ? 1 : 0 }],
  },
  {
    name: 'quorate_standing',
    kind: 'gauge',
    labels: ['standing'],
    help: '1 for what this replica is: voter, learner (its disk was lost: it follows without a vote) or forming (it waits for its peers).',
    read: ({ status }) =>
      ['voter', 'learner', 'forming'].map((standing) => ({
        labels: { standing },
        value: status.standing === standing ? 1 : 0,
      })),
  },
  {
    name: 'quorate_peers_up',
    kind: 'gauge',
    labels: [],
    help: 'Other replicas with a working link.',
    read: ({ status }) => [{ value: status.peers.filter(({ up }) => up).length }],
  },
  {
    name: 'quorate_peer_votes',
    kind: 'gauge',
    labels: ['replica'],
    help: '1 when the replica is up and votes; 0 when it is down, or follows without a vote because its disk was lost.',
    read: ({ status }) =>
      status.peers.map(({ id, votes }) => ({ labels: { replica: id }, value: votes ? 1 : 0 })),
  },
  {
    name: 'quorate_failures_tolerated',
    kind: 'gauge',
    labels: [],
    help: 'How many more replicas may fail, whichever they are, before the cluster stops; -1 without a quorum.',
    read: ({ status }) => [{ value: status.failuresTolerated }],
  },
  {
    name: 'quorate_failures_tolerated_max',
    kind: 'gauge',
    labels: [],
    help: 'The same with all replicas up and voting.',
    read: ({ status }) => [{ value: status.failuresToleratedMax }],
  },
  {
    name: 'quorate_peer_queue_bytes',
    kind: 'gauge',
    labels: ['replica'],
    help: 'Bytes for another replica that the operating system has not taken yet.',
    read: ({ status }) =>
      status.peerQueues.map(({ id, bytes }) => ({ labels: { replica: id }, value: bytes })),
  },
  {
    name: 'quorate_clock_ahead_seconds',
    kind: 'gauge',
    labels: ['replica'],
    help: 'How far the wall clock of a replica is ahead of the time of the cluster; negative when behind; only of replicas heard lately.',
    read: ({ status }) =>
      status.clocks.map(({ id, aheadMs }) => ({ labels: { replica: id }, value: aheadMs / 1_000 })),
  },
  {
    name: 'quorate_log_bytes',
    kind: 'gauge',
    labels: [],
    help: 'Bytes of write-ahead log that a restart would read.',
    read: ({ status }) => [{ value: status.logBytes }],
  },
  {
    name: 'quorate_disk_stalls',
    kind: 'gauge',
    labels: [],
    help: '1 when no write to the disk has ended for 2 s: this replica leads nothing and does not vote until one does.',
    read: ({ status }) => [{ value: status.diskStalls ? 1 : 0 }],
  },
  {
    name: 'quorate_disk_waiting_bytes',
    kind: 'gauge',
    labels: [],
    help: 'Bytes on their way to the disk.',
    read: ({ status }) => [{ value: status.diskWaitingBytes }],
  },
  {
    name: 'quorate_disk_free_bytes',
    kind: 'gauge',
    labels: [],
    help: 'What this process may still write to the file system of its data directory; nothing where the system does not say.',
    read: ({ disk }) => (disk === undefined ? [] : [{ value: disk.freeBytes }]),
  },
  {
    name: 'quorate_disk_size_bytes',
    kind: 'gauge',
    labels: [],
    help: 'The size of that file system.',
    read: ({ disk }) => (disk === undefined ? [] : [{ value: disk.totalBytes }]),
  },
  {
    name: 'quorate_disk_write_seconds',
    kind: 'histogram',
    labels: [],
    help: 'From a write that must be durable until it is: the wait for the sync before it, the write and its own sync.',
    read: ({ measures }) => [measures.diskWrite],
  },
  {
    name: 'quorate_fsync_seconds',
    kind: 'histogram',
    labels: [],
    help: 'What the operating system takes to write a part of the log durably (one call: O_DSYNC); quorate_disk_write_seconds has the wait before it, too.',
    read: ({ measures }) => [measures.fsync],
  },
  {
    name: 'quorate_loop_delay_seconds',
    kind: 'histogram',
    labels: [],
    help: 'How late the event loop was, looked at every 50 ms.',
    read: ({ source }) => [source.loopDelay()],
  },
  {
    name: 'quorate_loop_stalls_total',
    kind: 'counter',
    labels: ['cause'],
    help: 'Stalls of the event loop of more than 100 ms, by what held it: the causes of quorate_loop_held_seconds, of which many may have come together.',
    read: (scrape) => scrape.perStallCause(({ count }) => count),
  },
  {
    name: 'quorate_loop_stalled_seconds_total',
    kind: 'counter',
    labels: ['cause'],
    help: 'How long these took together.',
    read: (scrape) => scrape.perStallCause(({ ms }) => ms / 1_000),
  },
  {
    name: 'quorate_loop_held_seconds',
    kind: 'histogram',
    labels: ['cause'],
    help: 'How long something held the event loop without giving it back: requests, decode (of a request above 64 KiB), lists (of groups, offsets or topics, for a client), messages (of replicas), apply, snapshot-cut, snapshot-write, snapshot-load, compaction (of the log), sweep (for what is past its retention), upkeep (timers, the log), gc, machine (the process did not run: it was stopped, waited in a call to the disk, or the machine had no CPU for it); other (HTTP, and what runs beside the replica) from 100 ms on.',
    read: ({ held }) => held.map(({ cause, ...each }) => ({ ...each, labels: { cause } })),
  },
  {
    name: 'quorate_memory_bytes',
    kind: 'gauge',
    labels: ['part'],
    help: 'Memory of the process: resident is all of it, heap_used what JavaScript objects take of heap_total, external what is outside of the heap, array_buffers the part of that in buffers (the log in memory, frames).',
    read: ({ memory }) =>
      byLabel('part', {
        resident: memory.rss,
        heap_total: memory.heapTotal,
        heap_used: memory.heapUsed,
        external: memory.external,
        array_buffers: memory.arrayBuffers,
      }),
  },
  {
    name: 'quorate_held_bytes',
    kind: 'gauge',
    labels: ['part'],
    help: `Memory by what it is for. Counted: log (what of the log is in memory), peers (messages that wait for other replicas), requests (those under way, parked ones included), answers (not taken by clients yet). Reckoned: groups (${GROUP_BYTES} bytes each, and ${MEMBER_BYTES} a member), offsets (${OFFSET_BYTES} bytes each), records (300 bytes each, 40 a field, and their characters).`,
    read: ({ status: { shards, peerQueues }, broker }) =>
      byLabel('part', {
        log: sum(shards, ({ logMemoryBytes }) => logMemoryBytes),
        groups: sum(shards, ({ groups, members }) => groups * GROUP_BYTES + members * MEMBER_BYTES),
        offsets: sum(shards, ({ offsets }) => offsets * OFFSET_BYTES),
        records: sum(shards, ({ recordBytes }) => recordBytes),
        peers: sum(peerQueues, ({ bytes }) => bytes),
        requests: broker['requestBytes'] ?? 0,
        answers: broker['answerBytes'] ?? 0,
      }),
  },
  {
    name: 'quorate_cpu_seconds_total',
    kind: 'counter',
    labels: ['mode'],
    help: 'CPU time of the process.',
    read: () => {
      const { user, system } = process.cpuUsage();
      return byLabel('mode', { user: user / 1e6, system: system / 1e6 });
    },
  },
];

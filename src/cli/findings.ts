import type { StatusJson } from '../admin/index.js';
import type { Finding, Severity } from './finding.js';
import { duration } from './format.js';
import { advice, differentSettings, versions } from './settings-findings.js';
import {
  behindText,
  bytesText,
  changeText,
  clockText,
  lagging,
  leadersText,
  list,
  replicas,
  reserveText,
} from './words.js';

/** Slots that a peer may be behind its leader before that is worth a word. */
export const LAG_SLOTS = 1_000;
/** As in the alert QuorateClockDiffers. Milliseconds. */
export const CLOCK_AHEAD_MS = 1_000;
/** As in the alert QuorateDiskSlow: one write of a hundred takes longer. Milliseconds. */
const SLOW_WRITE_MS = 250;
/** Too few writes say nothing about one of a hundred. */
const WRITES_MIN = 10;
const NEARLY_FULL_SHARE = 0.1;
/** As in the alert QuorateLoopStalls. */
const STALLED_SHARE = 0.02;
/** One stall soon after a start is no reason to look. Milliseconds. */
const STALLED_MS_MIN = 2_000;

/** What was heard when every replica was asked. */
export interface Heard {
  readonly answered: readonly StatusJson[];
  /** Known replicas that gave no answer, and why. */
  readonly unanswered: readonly {
    readonly id: number | null;
    readonly url: string | null;
    readonly why: string;
  }[];
}

const REPLICAS_CHANGE = 'docs/operations.md#changing-the-replicas';
const alert = (name: string): string => `docs/operations.md#${name}`;

/** What a person should know, the worst first. */
export function findings(all: Heard): readonly Finding[] {
  const gone = all.answered.filter(({ removed }) => removed === true);
  const heard = { ...all, answered: all.answered.filter((each) => !gone.includes(each)) };
  const { answered } = heard;
  if (answered.length === 0) return gone.map(stillRuns);
  const clusters = new Set(answered.map(({ clusterId }) => clusterId));
  if (clusters.size > 1) return [severalClusters(answered)];
  const found = [
    ...quorum(answered),
    ...leaders(answered),
    ...answered.flatMap(notReady),
    ...peers(heard),
    ...reserve(answered),
    ...answered.flatMap(disk),
    ...lag(answered),
    ...clocks(answered),
    ...answered.flatMap(stalls),
    ...differentSettings(answered),
    ...advice(answered),
    ...versions(answered),
    ...change(answered),
    ...gone.map(stillRuns),
  ];
  const order: readonly Severity[] = ['critical', 'warning', 'note'];
  return order.flatMap((severity) => found.filter((each) => each.severity === severity));
}

const stillRuns = ({ replica }: StatusJson): Finding => ({
  severity: 'note',
  replica,
  what: `Replica ${replica} was removed from the cluster, and still runs.`,
  then: 'Stop it, and remove its data directory: under that one it is refused for ever.',
  see: REPLICAS_CHANGE,
});

/** The change of the replicas that is under way, with what any replica says that it waits for. */
function change(answered: readonly StatusJson[]): readonly Finding[] {
  const known = answered.flatMap((each) => each.change ?? []);
  const [newest] = known.toSorted((a, b) => b.number - a.number || b.sealed + b.ready - (a.sealed + a.ready));
  if (newest === undefined) return [];
  const waits = known.flatMap((each) => (each.number === newest.number ? each.waits : []));
  const text = changeText({ ...newest, waits: [...new Set(waits)] });
  return [
    {
      severity: 'note',
      replica: null,
      what: `${text[0]!.toUpperCase()}${text.slice(1)}.`,
      then:
        newest.phase === 'preparing'
          ? 'It goes on by itself once nothing is waited for; quorate replicas cancel calls it off.'
          : 'It ends by itself. Where it waits for replicas, start those: it cannot be called off any more.',
      see: REPLICAS_CHANGE,
    },
  ];
}

/** The replica that sees most: one that is cut off from the others knows least about them. */
export const widestView = (answered: readonly StatusJson[]): StatusJson =>
  answered.toSorted((a, b) => b.failuresTolerated - a.failuresTolerated)[0]!;

function severalClusters(answered: readonly StatusJson[]): Finding {
  const which = answered.map(({ replica, clusterId }) => `replica ${replica} is of ${clusterId}`);
  return {
    severity: 'critical',
    replica: null,
    what: `The URLs lead to different clusters: ${which.join(', ')}.`,
    then: 'Correct --url or QUORATE_URL, or the settings clusterId and httpUrl of the replica that is of the wrong one.',
    see: 'docs/settings.md',
  };
}

function quorum(answered: readonly StatusJson[]): readonly Finding[] {
  const view = widestView(answered);
  if (view.failuresTolerated >= 0) return [];
  const lost = view.peers.filter(({ votes }) => !votes).map(({ id }) => id);
  return [
    {
      severity: 'critical',
      replica: null,
      what: `There is no quorum (${view.quorums}): ${lost.length === 0 ? 'too few replicas vote' : `${replicas(lost)} ${lost.length === 1 ? 'does' : 'do'} not vote`}. Nothing is taken, and nothing is lost.`,
      then: 'Start the missing replicas, each on its own disk. When their disks are gone for ever: "quorate recover".',
      see: alert('quoratenoquorum'),
    },
  ];
}

function leaders(answered: readonly StatusJson[]): readonly Finding[] {
  const view = widestView(answered);
  if (view.failuresTolerated < 0) return [];
  const served = new Set(
    answered.flatMap(({ shards }) => shards.filter(({ serving }) => serving).map(({ shard }) => shard)),
  );
  // A leader that was not asked may serve it.
  const asked = new Set(answered.map(({ replica }) => replica));
  const idle = view.shards.filter(
    ({ shard, leader }) => !served.has(shard) && (leader === null || asked.has(leader)),
  );
  if (idle.length === 0) return [];
  return [
    {
      severity: 'critical',
      replica: null,
      what: `Nobody serves shard ${list(idle.map(({ shard }) => shard))}: their groups stand still.`,
      then: 'Ask again: after a failure this takes less than a second. If it lasts, look for replicas that cannot reach each other, and for stalled disks and loops.',
      see: alert('quorateshardwithoutleader'),
    },
  ];
}

function notReady({ replica, ready, reasons }: StatusJson): readonly Finding[] {
  if (ready) return [];
  return [
    {
      severity: 'warning',
      replica,
      what: `Replica ${replica} takes no clients: ${reasons.join('; ')}.`,
      then: 'It lets them in by itself when that is over.',
      see: alert('quoratereplicanotready'),
    },
  ];
}

/** Who is missing, who has no vote, and who cannot be asked from here. */
function peers({ answered, unanswered }: Heard): readonly Finding[] {
  const ids = new Set(answered.flatMap((status) => [status.replica, ...status.peers.map(({ id }) => id)]));
  return [...ids]
    .toSorted((a, b) => a - b)
    .flatMap((id) => {
      const own = answered.find(({ replica }) => replica === id);
      const seen = answered.flatMap((status) =>
        status.peers.filter((peer) => peer.id === id).map((peer) => ({ ...peer, by: status.replica })),
      );
      if (own !== undefined) return [...withoutVote(own), ...cutOff(own, seen)];
      const up = seen.some((peer) => peer.up);
      const silent = unanswered.find((each) => each.id === id);
      return up ? unasked(id, silent) : down(id, seen, silent);
    });
}

type Peer = StatusJson['peers'][number] & { readonly by: number };

function withoutVote({ replica, standing, change }: StatusJson): readonly Finding[] {
  // While shards change, who votes is not the same in all: the change itself is told.
  if (standing !== 'learner' || change?.phase === 'sealing') return [];
  return [
    {
      severity: 'warning',
      replica,
      what: `Replica ${replica} has lost its data directory, or has an older copy of it: it follows the others and does not vote.`,
      then: `If the right directory still exists, stop the replica and bring that one back. If it is lost for ever: "quorate replicas replace ${replica}".`,
      see: alert('quoratereplicawithoutvote'),
    },
  ];
}

/** Both run, and have no link. Said once, at the higher id. */
function cutOff({ replica, peers: own }: StatusJson, seen: readonly Peer[]): readonly Finding[] {
  return seen.flatMap(({ by, up, problem }) => {
    if (up || by > replica) return [];
    const why = problem ?? own.find(({ id }) => id === by)?.problem ?? null;
    return [
      {
        severity: 'warning' as const,
        replica,
        what: `Replicas ${by} and ${replica} both run and have no link${why === null ? '' : `: ${why}`}.`,
        then: 'Give both the same settings, and look at the network between their peer ports.',
        see: alert('quoratereplicadown'),
      },
    ];
  });
}

function unasked(id: number, silent: Heard['unanswered'][number] | undefined): readonly Finding[] {
  const where =
    silent?.url === undefined || silent.url === null ? 'it has no HTTP port' : `${silent.url}: ${silent.why}`;
  return [
    {
      severity: 'note',
      replica: id,
      what: `Replica ${id} runs, say the others, and could not be asked from here (${where}): what it alone knows is missing here.`,
      then: 'Run this where its HTTP port can be reached, or name it with --url.',
      see: 'docs/operations.md#ports',
    },
  ];
}

function down(
  id: number,
  seen: readonly Peer[],
  silent: Heard['unanswered'][number] | undefined,
): readonly Finding[] {
  const reason = seen.find(({ problem }) => problem !== null);
  const why =
    reason === undefined
      ? (silent?.why ?? 'nobody hears it')
      : `replica ${reason.by} says: ${reason.problem}`;
  return [
    {
      severity: 'warning',
      replica: id,
      what: `Replica ${id} is down: ${why}.`,
      then: 'Start it on its own disk. If it ends again, the last lines of its log say why.',
      see: alert('quoratereplicadown'),
    },
  ];
}

function reserve(answered: readonly StatusJson[]): readonly Finding[] {
  const view = widestView(answered);
  const { failuresTolerated: left, failuresToleratedMax: max } = view;
  if (left < 0) return [];
  if (max === 0)
    return [
      {
        severity: 'note',
        replica: null,
        what: `This cluster survives no failure (${view.quorums}).`,
        then: 'Run three replicas, on three machines.',
        see: 'docs/operations.md#sizes',
      },
    ];
  if (left === max) return [];
  return [
    {
      severity: left === 0 ? 'warning' : 'note',
      replica: null,
      what: `With all replicas any ${max} may fail. Now: ${reserveText(view)}.`,
      then: 'Bring back those that are missing before anything else is stopped.',
      see: alert('quorateonefailurefromahalt'),
    },
  ];
}

function disk({
  replica,
  disk: { stalls: stands, room, freeBytes, totalBytes, writesLately },
  shards,
}: StatusJson): readonly Finding[] {
  const found: Finding[] = [];
  const of = (severity: Severity, what: string, then: string, see: string): number =>
    found.push({ severity, replica, what, then, see });
  const space =
    freeBytes === null || totalBytes === null
      ? ''
      : ` (${bytesText(freeBytes)} of ${bytesText(totalBytes)} free)`;
  if (stands)
    of(
      'warning',
      `The disk of replica ${replica} finishes no write: it leads nothing and does not vote until it does.`,
      'Look at the volume. The replica goes on by itself.',
      alert('quoratediskstalls'),
    );
  else if (room !== 'enough') {
    const led = shards.filter(({ serving }) => serving).length;
    of(
      led > 0 ? 'critical' : 'warning',
      `The disk of replica ${replica} is full${space}: ${led > 0 ? `commits to what it leads (${led} of ${shards.length} shards) are refused` : 'it could lead nothing'}.`,
      'Make room on it, or make it larger. The replica goes on by itself, and nothing is lost.',
      alert('quoratedisknearlyfull'),
    );
  } else if (freeBytes !== null && totalBytes !== null && freeBytes < NEARLY_FULL_SHARE * totalBytes)
    of(
      'warning',
      `The disk of replica ${replica} is nearly full${space}.`,
      'Make room on it, or make it larger: when it is full, commits are refused.',
      alert('quoratedisknearlyfull'),
    );
  const { count: writes, p50Ms, p99Ms } = writesLately;
  if (writes >= WRITES_MIN && p50Ms !== null && p99Ms !== null && p99Ms > SLOW_WRITE_MS)
    of(
      'warning',
      `The disk of replica ${replica} is slow: of its last ${writes} writes half took up to ${duration(p50Ms)}, and one of a hundred ${duration(p99Ms)} or nearly so.`,
      'Every commit waits for two disks. Look at the volume, or move the replica to another disk.',
      alert('quoratediskslow'),
    );
  return found;
}

function lag(answered: readonly StatusJson[]): readonly Finding[] {
  const up = new Set(
    answered.flatMap(({ replica, peers: of }) => [
      replica,
      ...of.flatMap(({ id, up: is }) => (is ? [id] : [])),
    ]),
  );
  return lagging(answered, LAG_SLOTS)
    .filter(({ id }) => up.has(id))
    .map((each) => ({
      severity: 'warning' as const,
      replica: each.id,
      what: `A replica lags: ${behindText([each])}.`,
      then: 'Ask again: it should get less. If it does not, its disk, its network or its CPU is too slow.',
      see: alert('quoratereplicalags'),
    }));
}

/** As the replica with the widest view says; the one that differs may be wrong about the others. */
function clocks(answered: readonly StatusJson[]): readonly Finding[] {
  return widestView(answered)
    .clocks.filter(({ aheadMs }) => Math.abs(aheadMs) > CLOCK_AHEAD_MS)
    .map(({ id, aheadMs }) => ({
      severity: 'warning' as const,
      replica: id,
      what: `The clock of replica ${id} is ${clockText(aheadMs)}.`,
      then: 'Mend NTP on that machine. Sessions and leases do not depend on it; what is deleted by its age does.',
      see: alert('quorateclockdiffers'),
    }));
}

function stalls({ replica, uptimeMs, loopStalls }: StatusJson): readonly Finding[] {
  const total = loopStalls.reduce((sum, { ms }) => sum + ms, 0);
  if (total <= Math.max(STALLED_MS_MIN, STALLED_SHARE * uptimeMs)) return [];
  const causes = loopStalls
    .toSorted((a, b) => b.ms - a.ms)
    .map(({ cause, count: times, ms }) => `${cause} ${times} times, ${duration(Math.round(ms))}`);
  return [
    {
      severity: 'warning',
      replica,
      what: `The event loop of replica ${replica} stood still for ${Math.round((100 * total) / uptimeMs)} % of the time since its start: ${causes.join('; ')}.`,
      then: 'machine: it does not get CPU. gc: give it more memory. Others: it has more to do than one core does.',
      see: alert('quorateloopstalls'),
    },
  ];
}

/** One line about a cluster in which nothing was found. */
export const healthText = (answered: readonly StatusJson[]): string => {
  const view = widestView(answered);
  return `${leadersText(view)}. Reserve: ${reserveText(view)}.`;
};

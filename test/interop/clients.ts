import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, it } from '@jest/globals';
import { Child } from '../harness/child.js';
import { ROOT } from '../harness/cluster.js';
import { eventually } from '../harness/waiting.js';

const HERE = join(ROOT, 'test/interop');

/** A foreign consumer in a process of its own. */
export interface ForeignMember {
  readonly name: string;
  readonly child: Child;
  /** Partitions it owns, as it says itself; undefined while it owns nothing because it stopped. */
  owned(): readonly number[] | undefined;
  /** Ends it the way its users do: it leaves the group. */
  leave(): Promise<void>;
}
export interface CommittingMember extends ForeignMember {
  commit(partition: number, offset: number): Promise<void>;
  committed(partition: number): Promise<number>;
}

export interface Scene {
  readonly brokers: string;
  readonly group: string;
  readonly topic: string;
}

/** What a client needs to be tested; `missing` says how to get it. */
export interface ForeignClient {
  readonly title: string;
  readonly missing: string | undefined;
  start(scene: Scene, name: string): ForeignMember;
}

export const works = (command: string, args: readonly string[]): boolean =>
  spawnSync(command, args, { stdio: 'ignore' }).status === 0;

export const PYTHON = process.env['QUORATE_TEST_PYTHON'] ?? 'python3';
export const KCAT = process.env['QUORATE_TEST_KCAT'] ?? 'kcat';

export const kafkajs = {
  title: 'kafkajs',
  missing: undefined,
  start: ({ brokers, group, topic }: Scene, name: string): CommittingMember =>
    scripted(name, process.execPath, [join(HERE, 'kafkajs-member.js'), brokers, group, topic, name]),
};

export const confluentKafka = {
  title: 'confluent-kafka',
  missing: works(PYTHON, ['-c', 'import confluent_kafka'])
    ? undefined
    : 'pip install confluent-kafka, and name its python in QUORATE_TEST_PYTHON',
  start: ({ brokers, group, topic }: Scene, name: string): CommittingMember =>
    scripted(name, PYTHON, [join(HERE, 'members/confluent_member.py'), brokers, group, topic, name]),
};

export const kcat = {
  title: 'kcat',
  missing: works(KCAT, ['-V']) ? undefined : 'apt-get install kcat, or name it in QUORATE_TEST_KCAT',
  start: ({ brokers, group, topic }: Scene, name: string): ForeignMember => {
    const settings = {
      'client.id': name,
      'session.timeout.ms': '3000',
      'heartbeat.interval.ms': '300',
      'partition.assignment.strategy': 'range',
      'enable.auto.commit': 'false',
      // The line that tells from which offset a partition is read.
      debug: 'fetch',
    };
    const options = Object.entries(settings).flatMap(([key, value]) => ['-X', `${key}=${value}`]);
    const child = new Child(name, KCAT, ['-b', brokers, ...options, '-G', group, topic]);
    let owned: readonly number[] | undefined;
    child.onLine((line) => {
      // % Group billing rebalanced (memberid x): assigned: tenants [0], tenants [1]
      const found = /^% Group .* rebalanced .*: (assigned|revoked): (.*)$/.exec(line);
      if (found?.[1] === 'revoked') owned = undefined;
      else if (found !== null)
        owned = [...found[2]!.matchAll(/\[(\d+)\]/g)].map((match) => Number(match[1])).sort((a, b) => a - b);
    });
    return {
      name,
      child,
      owned: () => owned,
      leave: async () => {
        await child.stop();
      },
    };
  },
};

/** Where kcat began to read a partition, as librdkafka's debug lines tell; undefined: it has not yet. */
export function kcatReadFrom({ child }: ForeignMember, topic: string, partition: number): number | undefined {
  const pattern = new RegExp(`${topic} \\[${partition}\\].*(?:start fetching at offset|at offset) (\\d+)`);
  for (const line of [...child.lines].reverse()) {
    const found = pattern.exec(line);
    if (found !== null) return Number(found[1]);
  }
  return undefined;
}

interface Said {
  readonly kind: string;
  readonly partitions?: readonly number[];
  readonly partition?: number;
  readonly offset?: number;
  readonly error?: string;
}

/** A member that is spoken to as confluent_member.py is. */
export function scripted(name: string, command: string, args: readonly string[]): CommittingMember {
  const child = new Child(name, command, args);
  let owned: readonly number[] | undefined;
  const said: Said[] = [];
  child.onLine((line, stream) => {
    // A JVM prints its warnings to standard output.
    if (stream === 'stderr' || !line.startsWith('{')) return;
    const event = JSON.parse(line) as Said;
    if (event.kind === 'owns') owned = [...event.partitions!].sort((a, b) => a - b);
    else if (event.kind === 'stops') owned = undefined;
    else said.push(event);
  });
  const ask = async (line: string, answer: string): Promise<Said> => {
    const seen = said.length;
    child.write(line);
    const event = await eventually(`${name} answers ${line}`, 20_000, () => said[seen]);
    if (event.kind !== answer) throw new Error(`${name}: ${line}: ${JSON.stringify(event)}`);
    return event;
  };
  return {
    name,
    child,
    owned: () => owned,
    commit: async (partition, offset) => {
      await ask(`commit ${partition} ${offset}`, 'committed');
    },
    committed: async (partition) => (await ask(`committed ${partition}`, 'found')).offset!,
    leave: async () => {
      child.endInput();
      await child.exited;
    },
  };
}

/** Waits until each member owns as many partitions as told, and together they own every partition exactly once. */
export async function shared(
  members: readonly ForeignMember[],
  shares: readonly number[],
  withinMs = 20_000,
): Promise<void> {
  const all = Array.from(
    { length: shares.reduce((sum, share) => sum + share, 0) },
    (_, partition) => partition,
  );
  await eventually(`${members.map(({ name }) => name).join(', ')} own ${shares.join(', ')}`, withinMs, () => {
    const owned = members.map((member) => member.owned() ?? []);
    const together = owned.flat().sort((a, b) => a - b);
    const counts = owned.map(({ length }) => length).sort();
    return (
      JSON.stringify(counts) === JSON.stringify([...shares].sort()) &&
      JSON.stringify(together) === JSON.stringify(all)
    );
  }).catch((error: unknown) => {
    const seen = members.map(
      (member) =>
        `${member.name}: ${JSON.stringify(member.owned())}\n${member.child.lines.slice(-15).join('\n')}`,
    );
    throw new Error(`${String(error)}\n${seen.join('\n')}`);
  });
}

/** Skips loudly when a client is missing; with REQUIRE_SERVICES=1 that is a failure. */
export function describeWith(
  clients: readonly Pick<ForeignClient, 'title' | 'missing'>[],
  title: string,
  tests: () => void,
): void {
  const missing = clients.flatMap((client) =>
    client.missing === undefined ? [] : [`${client.title} is missing: ${client.missing}`],
  );
  if (missing.length === 0) return describe(title, tests);
  if (process.env['REQUIRE_SERVICES'] === '1') {
    describe(title, () => {
      it('has the clients it needs', () => {
        throw new Error(missing.join('; '));
      });
    });
    return;
  }
  console.warn(`SKIPPED: ${title}: ${missing.join('; ')}`);
  describe.skip(title, tests);
}

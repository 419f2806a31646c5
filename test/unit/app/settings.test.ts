import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { checkSettings, ConfigurationError, loadSettings, settingsPage } from '../../../src/app/index.js';
import { addressesOf } from '../../../src/app/addresses.js';
import { environmentName, SETTING_NAMES, SETTINGS } from '../../../src/app/settings.js';
import type { Setting } from '../../../src/app/setting-kinds.js';
import { type CheckedOptions, heartbeatTimeoutMs } from '../../../src/worker/options.js';
import { ROOT } from '../../harness/cluster.js';

const GIVEN = {
  replicaId: 1,
  clusterId: 'pJ0m3vVZQ5mB1yNwq0c9Tg',
  replicas: [
    { id: 1, host: '10.0.0.1', peerPort: 9192, kafkaPort: 9092, httpPort: 8080 },
    { id: 2, host: '10.0.0.2', peerPort: 9192, kafkaPort: 9092, httpPort: 8080 },
  ],
};

function problemsOf(given: object, environment: Record<string, string> = {}): readonly string[] {
  try {
    checkSettings(given as Record<string, unknown>, environment);
  } catch (error) {
    if (error instanceof ConfigurationError) return error.problems;
    throw error;
  }
  return [];
}

const directories: string[] = [];
afterEach(() => {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true });
});
function file(text: string): string {
  const directory = mkdtempSync(join(tmpdir(), 'quorate-settings-'));
  directories.push(directory);
  const path = join(directory, 'replica.json');
  writeFileSync(path, text);
  return path;
}

describe('settings', () => {
  it('fills in every default', () => {
    const { settings, warnings } = checkSettings(GIVEN);
    expect(warnings).toEqual([]);
    expect(settings.shards).toBe(8);
    expect(settings.autoCreateTopics).toBe(false);
    for (const name of SETTING_NAMES) expect(settings).toHaveProperty(name);
  });

  it('advertises HTTP under the URL that is given, else under host and port', () => {
    const [one, two] = GIVEN.replicas;
    const replicas = [
      { ...one!, httpUrl: 'https://q1.example.com/quorate/' },
      { ...two!, host: 'fe80::2' },
    ];
    const urlOf = (replicaId: number): string | null =>
      addressesOf(checkSettings({ ...GIVEN, replicas, replicaId }).settings).http;
    expect([urlOf(1), urlOf(2)]).toEqual(['https://q1.example.com/quorate', 'http://[fe80::2]:8080']);
    expect(problemsOf({ ...GIVEN, replicas: [{ ...one!, httpUrl: 'q1.example.com' }, two] })).toHaveLength(1);
  });

  it.each(SETTING_NAMES)('%s: its default is what it accepts, and it says what it is for', (name) => {
    const setting: Setting<unknown> = SETTINGS[name];
    expect(setting.help.length).toBeGreaterThan(10);
    expect(setting.accepts.length).toBeGreaterThan(3);
    if (setting.preset === undefined)
      expect(problemsOf({})).toContainEqual(expect.stringMatching(`^${name} is missing: give `));
    else expect(setting.schema.safeParse(setting.preset).success).toBe(true);
  });

  it.each(SETTING_NAMES)('%s: a wrong value names the setting and what to give instead', (name) => {
    const { accepts }: Setting<unknown> = SETTINGS[name];
    // An object is no value of any setting.
    const problems = problemsOf({ ...GIVEN, [name]: { wrong: true } });
    expect(problems).toHaveLength(1);
    expect(problems[0]!.toLowerCase()).toContain(`give ${accepts}`.toLowerCase());
    expect(problems[0]).toMatch(new RegExp(`^${name}\\b`));
  });

  it('lists all problems together', () => {
    const problems = problemsOf({ clusterId: 'short', replicaId: 1, shards: 0 });
    expect(problems).toHaveLength(3);
    expect(problems.join()).toMatch(/clusterId is "short".*replicas is missing.*shards is 0/s);
  });

  it('takes the environment before the file, and says from where a wrong value came', () => {
    expect(checkSettings(GIVEN, { QUORATE_SHARDS: '16' }).settings.shards).toBe(16);
    expect(checkSettings({ ...GIVEN, shards: 4 }, { QUORATE_SHARDS: '16' }).settings.shards).toBe(16);
    expect(problemsOf(GIVEN, { QUORATE_SHARDS: 'many' })).toEqual([
      expect.stringContaining('shards is "many" (from QUORATE_SHARDS): give an integer from 1 to 256'),
    ]);
    expect(checkSettings(GIVEN, { QUORATE_AUTO_CREATE_TOPICS: 'true' }).settings.autoCreateTopics).toBe(true);
  });

  it('refuses a name that is no setting in a file, and warns of one in the environment', () => {
    expect(problemsOf({ ...GIVEN, electionTimeout: 300 })[0]).toMatch(/did you mean electionTimeoutMs\?/);
    const { warnings } = checkSettings(GIVEN, { QUORATE_SHARD: '3', QUORATE_URL: 'http://x' });
    expect(warnings).toEqual([
      expect.stringMatching(/QUORATE_SHARD, .*did you mean QUORATE_SHARDS\?.*ignored/),
    ]);
  });

  it.each([
    ['replicaId that is not in the list', { replicaId: 7 }, /replicaId is 7, and replicas has 1, 2 only/],
    ['an id given twice', { replicas: [GIVEN.replicas[0], GIVEN.replicas[0]] }, /the id 1 more than once/],
    ['a slow heartbeat', { heartbeatIntervalMs: 200 }, /at most a third of the timeout \(100\)/],
    ['a long lease', { leaseMs: 5_000 }, /a lease may be at most as long as the timeout/],
    ['sessions upside down', { sessionTimeoutMsMin: 9_000, sessionTimeoutMsMax: 8_000 }, /must not be above/],
  ])('refuses what contradicts itself: %s', (_name, wrong, expected) => {
    expect(problemsOf({ ...GIVEN, ...wrong }).join()).toMatch(expected);
  });

  it('says which two listeners share an address', () => {
    const replicas = [
      { id: 1, host: 'a', peerPort: 1, kafkaPort: 2 },
      { id: 2, host: 'a', peerPort: 3, kafkaPort: 1 },
    ];
    expect(problemsOf({ ...GIVEN, replicas })).toEqual([
      'peerPort of replica 1 and kafkaPort of replica 2 are both a:1: give each a port of its own.',
    ]);
  });

  it('says what is wrong with a file', () => {
    const load = (path: string) => () => loadSettings({ file: path, environment: {} });
    expect(load('/nowhere/replica.json')).toThrow(/the file \/nowhere\/replica.json cannot be read/);
    expect(load(file('{'))).toThrow(/is not JSON/);
    expect(load(file('[]'))).toThrow(/must hold one JSON object/);
    expect(load(file(JSON.stringify(GIVEN)))().settings.replicaId).toBe(1);
  });

  it('names every variable QUORATE_ and the setting in capitals', () => {
    expect(environmentName('sessionTimeoutMsMin')).toBe('QUORATE_SESSION_TIMEOUT_MS_MIN');
  });

  it('is what docs/settings.md shows (npm run docs:settings writes it)', () => {
    expect(readFileSync(join(ROOT, 'docs/settings.md'), 'utf8')).toBe(settingsPage());
  });
});

describe('the quorums', () => {
  const five = [1, 2, 3, 4, 5].map((id) => ({ id, host: `10.0.0.${id}`, peerPort: 9192, kafkaPort: 9092 }));
  const taken = (quorums: object): unknown =>
    checkSettings({ ...GIVEN, replicas: five, quorums }).settings.quorums;

  it('are majorities unless said otherwise, and are taken as they are', () => {
    expect(checkSettings(GIVEN).settings.quorums).toEqual({ kind: 'majority' });
    for (const quorums of [
      { kind: 'flexible', prepare: 4, accept: 2 },
      { kind: 'grid', rows: [[1, 2, 3, 4, 5]] },
      { kind: 'weighted', weights: { 1: 2, 2: 1, 3: 1, 4: 1, 5: 0 }, prepare: 3, accept: 3 },
    ])
      expect(taken(quorums)).toEqual(quorums);
  });

  it('may come from the environment, as JSON or by the word majority', () => {
    const from = (text: string): unknown =>
      checkSettings({ ...GIVEN, replicas: five }, { QUORATE_QUORUMS: text }).settings.quorums;
    expect(from('majority')).toEqual({ kind: 'majority' });
    expect(from('{"kind":"flexible","prepare":3,"accept":3}')).toEqual({
      kind: 'flexible',
      prepare: 3,
      accept: 3,
    });
  });

  it('are refused when two would miss each other, and when they do not fit the replicas', () => {
    expect(
      problemsOf({ ...GIVEN, replicas: five, quorums: { kind: 'flexible', prepare: 3, accept: 2 } }),
    ).toEqual([
      'quorums cannot be flexible with replicas 1, 2, 3, 4, 5 that way: 1, 2, 3 would be enough to promise and 4, 5 enough to accept, ' +
        'and they share no replica: two leaders could choose different values. Every prepare quorum must meet every accept quorum.',
    ]);
    expect(problemsOf({ ...GIVEN, quorums: { kind: 'grid', rows: [[1, 2, 3]] } })[0]).toContain(
      'has replica 3',
    );
    expect(problemsOf({ ...GIVEN, quorums: { kind: 'most' } })[0]).toContain('quorums');
    expect(problemsOf(GIVEN, { QUORATE_QUORUMS: 'most' })[0]).toMatch(
      /^quorums is "most" \(from QUORATE_QUORUMS\): give /,
    );
  });
});

it('a heartbeat is never held for longer than half of what a worker waits for its answer', () => {
  const [session, request] = [600_000, 1_000];
  const waits = heartbeatTimeoutMs({
    ...{ brokers: ['127.0.0.1:9092'], group: 'g', topics: ['t'], onPartition: () => Promise.resolve() },
    ...{ sessionTimeoutMs: session, requestTimeoutMs: request },
  } as unknown as CheckedOptions);
  expect(problemsOf({ ...GIVEN, heartbeatHoldMs: waits / 2 })).toEqual([]);
  expect(problemsOf({ ...GIVEN, heartbeatHoldMs: waits / 2 + 1 })).toHaveLength(1);
});

import { readFileSync } from 'node:fs';
import { addressText, replicaId as replicaIdOf } from '../kernel/index.js';
import { quorumProblem } from '../paxos/index.js';
import { environmentName, SETTING_NAMES, type SettingName, SETTINGS, type Settings } from './settings.js';
import type { Setting } from './setting-kinds.js';

export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError';
  constructor(readonly problems: readonly string[]) {
    super(
      problems.length === 1
        ? `The configuration is wrong: ${problems[0]!}`
        : `The configuration is wrong in ${problems.length} places:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`,
    );
  }
}

export interface LoadedSettings {
  readonly settings: Settings;
  /** What is odd and not refused. */
  readonly warnings: readonly string[];
}

export interface ConfigurationSources {
  /** Path of a JSON file. */
  readonly file?: string | undefined;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** Variables that share the prefix and are no settings: the command's own. */
const OTHER_VARIABLES = new Set(['QUORATE_URL']);

/**
 * Reads and checks all settings: environment before file before default.
 * @throws ConfigurationError with every problem found, not just the first.
 */
export function loadSettings(sources: ConfigurationSources): LoadedSettings {
  const file = sources.file === undefined ? {} : readSettingsFile(sources.file);
  return checkSettings(file, sources.environment, sources.file ?? 'the file');
}

/** The same for settings that are at hand as an object, e.g. from QuorateModule.forRoot. */
export function checkSettings(
  given: Readonly<Record<string, unknown>>,
  environment: Readonly<Record<string, string | undefined>> = {},
  origin = 'the given settings',
): LoadedSettings {
  const problems: string[] = [];
  for (const key of Object.keys(given)) {
    if (!(SETTING_NAMES as readonly string[]).includes(key)) {
      problems.push(
        `${origin} has "${key}", which is not a setting${hint(key, SETTING_NAMES)}. Every setting is in docs/settings.md.`,
      );
    }
  }
  const values: Partial<Record<SettingName, unknown>> = {};
  for (const name of SETTING_NAMES) {
    const setting: Setting<unknown> = SETTINGS[name];
    const variable = environmentName(name);
    const inEnvironment = environment[variable];
    if (inEnvironment !== undefined && inEnvironment !== '') {
      const value = setting.fromText(inEnvironment);
      values[name] = checked(name, setting, value, variable, problems);
    } else if (Object.hasOwn(given, name)) {
      values[name] = checked(name, setting, given[name], origin, problems);
    } else if (setting.preset !== undefined) {
      values[name] = setting.preset;
    } else {
      problems.push(`${name} is missing: give ${setting.accepts}, in the file or as ${variable}.`);
    }
  }
  // Every name was filled above, or a problem was noted.
  const settings = values as Settings;
  if (problems.length === 0) problems.push(...contradictions(settings));
  if (problems.length > 0) throw new ConfigurationError(problems);
  return { settings, warnings: strayVariables(environment) };
}

function readSettingsFile(path: string): Readonly<Record<string, unknown>> {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new ConfigurationError([`the file ${path} cannot be read: ${(error as Error).message}.`]);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new ConfigurationError([`the file ${path} is not JSON: ${(error as Error).message}.`]);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new ConfigurationError([`the file ${path} must hold one JSON object with the settings in it.`]);
  return value as Readonly<Record<string, unknown>>;
}

function checked(
  name: SettingName,
  setting: Setting<unknown>,
  value: unknown,
  origin: string,
  problems: string[],
): unknown {
  const result = setting.schema.safeParse(value);
  if (result.success) return result.data;
  const otherwise = setting.preset === undefined ? '' : `; the default is ${presetOf(setting)}`;
  for (const issue of result.error.issues) {
    problems.push(
      issue.path.length === 0
        ? `${name} is ${shown(value)} (from ${origin}): give ${setting.accepts}${otherwise}.`
        : `${name}${pathText(issue.path)} (from ${origin}): ${issue.message}. Give ${setting.accepts}.`,
    );
  }
  return undefined;
}

/** What each setting allows on its own and they do not allow together. */
function contradictions(settings: Settings): string[] {
  const problems: string[] = [];
  const must = (holds: boolean, problem: string): void => {
    if (!holds) problems.push(problem);
  };
  const { replicas, replicaId, electionTimeoutMs, heartbeatIntervalMs, leaseMs } = settings;
  const ids = replicas.map(({ id }) => id);
  must(
    ids.includes(replicaId),
    `replicaId is ${replicaId}, and replicas has ${ids.join(', ')} only: add this replica to the list or correct its id.`,
  );
  for (const id of new Set(ids.filter((candidate, index) => ids.indexOf(candidate) !== index)))
    problems.push(`replicas has the id ${id} more than once: each replica needs an id of its own.`);
  const addresses = new Map<string, string>();
  for (const entry of replicas) {
    for (const [field, host, port] of [
      ['peerPort', entry.host, entry.peerPort],
      ['kafkaPort', entry.kafkaHost ?? entry.host, entry.kafkaPort],
      ['httpPort', entry.host, entry.httpPort],
    ] as const) {
      if (port === undefined || port === 0) continue;
      const address = addressText({ host, port });
      const user = `${field} of replica ${entry.id}`;
      const other = addresses.get(address);
      if (other !== undefined)
        problems.push(`${other} and ${user} are both ${address}: give each a port of its own.`);
      addresses.set(address, user);
    }
  }
  problems.push(...incompleteListeners(settings), ...portsGivenTwice(settings), ...quorumsThatFail(settings));
  const unreachable = replicas.find(({ peerPort }) => peerPort === 0);
  must(
    replicas.length === 1 || unreachable === undefined,
    `peerPort of replica ${unreachable?.id} is 0 (any free port), and its peers could not know which: give the port that they call.`,
  );
  const own = replicas.find(({ id }) => id === replicaId);
  must(
    own?.kafkaPort !== 0 || settings.kafkaListenPort === null,
    `kafkaPort of replica ${replicaId} is 0 (any free port) and kafkaListenPort ${settings.kafkaListenPort}: give clients the port that leads there.`,
  );
  must(
    heartbeatIntervalMs * 3 <= electionTimeoutMs,
    `heartbeatIntervalMs is ${heartbeatIntervalMs} and electionTimeoutMs ${electionTimeoutMs}: an interval may be at most a third of the timeout (${Math.floor(electionTimeoutMs / 3)}).`,
  );
  must(
    leaseMs <= electionTimeoutMs,
    `leaseMs is ${leaseMs} and electionTimeoutMs ${electionTimeoutMs}: a lease may be at most as long as the timeout.`,
  );
  must(
    settings.sessionTimeoutMsMin <= settings.sessionTimeoutMsMax,
    `sessionTimeoutMsMin is ${settings.sessionTimeoutMsMin} and sessionTimeoutMsMax ${settings.sessionTimeoutMsMax}: the smallest must not be above the largest.`,
  );
  must(
    settings.autoCreatePartitions <= settings.topicPartitionsMax,
    `autoCreatePartitions is ${settings.autoCreatePartitions} and topicPartitionsMax ${settings.topicPartitionsMax}: raise the second or lower the first.`,
  );
  return problems;
}

/** What is wrong with the replicas is told apart from it. */
function quorumsThatFail({ quorums, replicas }: Settings): string[] {
  const ids = replicas.map(({ id }) => replicaIdOf(id));
  const problem = new Set(ids).size === ids.length ? quorumProblem(quorums, ids) : undefined;
  return problem === undefined
    ? []
    : [`quorums cannot be ${quorums.kind} with replicas ${ids.join(', ')} that way: ${problem}.`];
}

/** Further listeners whose clients would not be told of every replica. */
function incompleteListeners({ replicas, listeners }: Settings): string[] {
  const problems: string[] = [];
  for (const { name, kafka, http, httpListenPort } of listeners) {
    for (const [field, told] of Object.entries({ kafka, http }))
      if (told !== undefined && told.length !== replicas.length)
        problems.push(
          `${field} of the listener ${name} has ${told.length} addresses, and there are ${replicas.length} replicas: give one for each, in the order of \`replicas\`.`,
        );
    if ((http === undefined) !== (httpListenPort === undefined))
      problems.push(`the listener ${name} has one of http and httpListenPort: give both, or neither.`);
  }
  return problems;
}

/** Ports of further listeners that this replica binds for something else already. */
function portsGivenTwice({ replicas, replicaId, kafkaListenPort, listeners }: Settings): string[] {
  const own = replicas.find(({ id }) => id === replicaId);
  const used = new Map<number | undefined, string>([
    [own?.peerPort, 'the listener for peers'],
    [own?.httpPort, 'the HTTP listener'],
    [kafkaListenPort ?? own?.kafkaPort, 'the Kafka listener'],
  ]);
  const problems: string[] = [];
  for (const listener of listeners) {
    for (const field of ['kafkaListenPort', 'httpListenPort'] as const) {
      const port = listener[field];
      if (port === undefined) continue;
      const user = `${field} of the listener ${listener.name}`;
      const other = used.get(port);
      if (other !== undefined)
        problems.push(`${other} and ${user} are both ${port}: give each a port of its own.`);
      used.set(port, user);
    }
  }
  return problems;
}

/** A misspelt variable is worth a word; it is not refused, because container platforms make up names of their own. */
function strayVariables(environment: Readonly<Record<string, string | undefined>>): string[] {
  const known = SETTING_NAMES.map(environmentName);
  return Object.keys(environment)
    .filter((key) => key.startsWith('QUORATE_') && !known.includes(key) && !OTHER_VARIABLES.has(key))
    .map((key) => `the environment has ${key}, which is not a setting${hint(key, known)}; it is ignored`);
}

export function presetOf(setting: Setting<unknown>): string {
  if (setting.presetText !== undefined) return setting.presetText;
  return typeof setting.preset === 'string' ? setting.preset : JSON.stringify(setting.preset);
}

const shown = (value: unknown): string => {
  const text = JSON.stringify(value) ?? 'undefined';
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
};

const pathText = (path: readonly PropertyKey[]): string =>
  path.map((step) => (typeof step === 'number' ? `[${step}]` : `.${String(step)}`)).join('');

function hint(wrong: string, names: readonly string[]): string {
  const near = nearest(wrong, names);
  return near === undefined ? '' : ` (did you mean ${near}?)`;
}

/** The name with the fewest letters to change, when that is less than a third of it. */
function nearest(wrong: string, names: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.floor(wrong.length / 3) + 1;
  for (const name of names) {
    const distance = editDistance(wrong.toLowerCase(), name.toLowerCase());
    if (distance < bestDistance) [best, bestDistance] = [name, distance];
  }
  return best;
}

/** Levenshtein distance, one row at a time. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}

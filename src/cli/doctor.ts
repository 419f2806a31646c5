import type { Command } from 'commander';
import { AdminClient, AdminClientError, type StatusJson } from '../admin/index.js';
import { type CliSurroundings, type Common, urlsFor, withCommonOptions } from './ask.js';
import type { Finding, Severity } from './finding.js';
import { findings, healthText, type Heard, widestView } from './findings.js';

/** What `--json` prints. */
interface DoctorJson {
  readonly clusterId: string;
  readonly replicas: readonly {
    readonly id: number | null;
    readonly url: string | null;
    readonly answers: boolean;
  }[];
  readonly findings: readonly Finding[];
}

/** `quorate doctor`: asks every replica, and says in words what a person should know and do. */
export function addDoctor(program: Command, around: CliSurroundings): void {
  withCommonOptions(
    program
      .command('doctor')
      .description('ask every replica, and say in words what is wrong and what to do about it')
      .addHelpText('after', HELP),
  ).action(async (options: Common) => {
    const { heard, urls } = await askAll(urlsFor(around, options));
    if (heard.answered.length === 0)
      return around.fail(
        `no replica answers:\n${heard.unanswered.map(({ url, why }) => `  ${url ?? '?'}: ${why}`).join('\n')}\nSay where they are with --url or QUORATE_URL. If none runs, start them, each on its own disk.`,
        3,
      );
    const found = findings(heard);
    around.print(
      options.json === true
        ? JSON.stringify(doctorJson(heard, urls, found), null, 2)
        : doctorText(heard, found),
    );
    const worst = found[0]?.severity ?? 'note';
    if (worst !== 'note') around.fail(SUMMARY[worst].text, SUMMARY[worst].code);
  });
}

const SUMMARY = {
  critical: { code: 1, text: 'something stands still' },
  warning: { code: 4, text: 'the cluster works, and needs attention' },
} as const satisfies Record<Exclude<Severity, 'note'>, { readonly code: number; readonly text: string }>;

const HELP = `
It asks the replicas at the URLs, and those that these know of.
Exit codes: 0 nothing is wrong, 1 something stands still now, 2 wrong use, 3 no replica answers, 4 the cluster works and needs attention.`;

interface Asked {
  readonly heard: Heard;
  /** Where each replica answered. */
  readonly urls: ReadonlyMap<number, string>;
}

/** Asks at these URLs, then at those that were told of there. */
async function askAll(given: readonly string[]): Promise<Asked> {
  const answers = await Promise.all(given.map(statusAt));
  const byId = new Map<number, StatusJson>();
  const urls = new Map<number, string>();
  const note = (url: string, answer: StatusJson | string): void => {
    if (typeof answer === 'string' || byId.has(answer.replica)) return;
    byId.set(answer.replica, answer);
    urls.set(answer.replica, url);
  };
  given.forEach((url, place) => note(url, answers[place]!));
  const others = new Map(
    [...byId.values()].flatMap(({ http }) => http.map(({ id, url }) => [id, url] as const)),
  );
  const unasked = [...others].filter(([id]) => !byId.has(id));
  const further = await Promise.all(
    unasked.map(async ([id, url]) => ({
      id,
      url,
      answer: url === null ? 'it has no HTTP port' : await statusAt(url),
    })),
  );
  for (const { url, answer } of further) if (url !== null) note(url, answer);
  const missing = further.flatMap(({ id, url, answer }) =>
    typeof answer === 'string' ? [{ id, url, why: answer }] : [],
  );
  const silent = given.flatMap((url, place) => {
    const answer = answers[place]!;
    return typeof answer === 'string' ? [{ id: null, url, why: answer }] : [];
  });
  return { heard: { answered: [...byId.values()], unanswered: [...missing, ...silent] }, urls };
}

/** The status, or why there is none. */
async function statusAt(url: string): Promise<StatusJson | string> {
  try {
    return await new AdminClient([url]).only<StatusJson>('/status');
  } catch (error) {
    if (error instanceof AdminClientError) return error.message;
    throw error;
  }
}

function doctorJson(
  { answered, unanswered }: Heard,
  urls: Asked['urls'],
  found: readonly Finding[],
): DoctorJson {
  return {
    clusterId: answered[0]!.clusterId,
    replicas: [
      ...answered.map(({ replica: id }) => ({ id, url: urls.get(id) ?? null, answers: true })),
      ...unanswered.map(({ id, url }) => ({ id, url, answers: false })),
    ],
    findings: found,
  };
}

function doctorText({ answered }: Heard, found: readonly Finding[]): string {
  const view = widestView(answered);
  const all = view.peers.length + 1;
  const head = `cluster ${view.clusterId}: ${answered.length} of ${all} ${all === 1 ? 'replica' : 'replicas'} answered; ${view.quorums}\n${healthText(answered)}`;
  if (found.length === 0) return `${head}\n\nNothing is wrong.`;
  const blocks = found.map(({ severity, what, then, see }) => {
    const label = severity.toUpperCase().padEnd(10);
    return `${label}${what}\n${' '.repeat(10)}${then}\n${' '.repeat(10)}${see}`;
  });
  return `${head}\n\n${blocks.join('\n\n')}`;
}

import type { Command } from 'commander';
import { AdminClient, AdminClientError } from '../admin/index.js';

export interface CliSurroundings {
  readonly print: (text: string) => void;
  /** Says what went wrong and sets the exit code: 1 = the answer is no, 2 = wrong use, 3 = no replica answers, 4 = a vote is lost. */
  readonly fail: (message: string, code: number) => void;
  readonly exit: (code: number) => never;
  readonly version: string;
  /** QUORATE_URL: one or more URLs, separated by commas. */
  readonly environmentUrl: string | undefined;
}

const DEFAULT_URLS = 'http://127.0.0.1:8080,http://127.0.0.1:8081,http://127.0.0.1:8082';

export interface Common {
  readonly json?: boolean;
  readonly url?: string;
}

/** Asks a replica and prints its answer: the JSON of the HTTP API, or what `show` makes of it. */
export type Ask = <T>(
  options: Common,
  ask: (client: AdminClient) => Promise<T>,
  show: (answer: T) => string,
) => Promise<void>;

export const askOver =
  (around: CliSurroundings): Ask =>
  async (options, request, show) => {
    const urls = options.url ?? around.environmentUrl ?? DEFAULT_URLS;
    try {
      const answer = await request(new AdminClient(urls.split(',')));
      around.print(options.json === true ? JSON.stringify(answer, null, 2) : show(answer));
    } catch (error) {
      if (!(error instanceof AdminClientError)) throw error;
      around.fail(error.message, error.status === 0 ? 3 : 1);
    }
  };

export const withCommonOptions = (command: Command): Command =>
  command
    .option('--json', 'print the JSON of the HTTP API instead of a table')
    .option('--url <urls>', `where replicas answer HTTP (or QUORATE_URL); default ${DEFAULT_URLS}`);

/** The path of a group, and of what belongs to it. The form that takes any name: `..` in a path would be taken out of it. */
export function groupPath(
  group: string,
  part = '',
  query: readonly (readonly [string, string])[] = [],
): string {
  const pairs = [['id', group] as const, ...query];
  const text = pairs.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join('&');
  return `/group${part}?${text}`;
}

export const repeated = (value: string, before: readonly string[] = []): readonly string[] => [
  ...before,
  value,
];

import type { Command } from 'commander';
import { AdminClient, AdminClientError } from '../admin/index.js';

export interface CliSurroundings {
  readonly print: (text: string) => void;
  /** Says what went wrong and sets the exit code: 1 = the answer is no, 2 = wrong use, 3 = no replica answers, 4 = it works, and needs attention. */
  readonly fail: (message: string, code: number) => void;
  readonly exit: (code: number) => never;
  readonly version: string;
  /** QUORATE_URL: one or more URLs, separated by commas. */
  readonly environmentUrl: string | undefined;
  /** How large it is now; undefined when what is printed goes to a file or a pipe. */
  readonly terminal: () => { readonly rows: number; readonly columns: number } | undefined;
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

export const urlsFor = (around: CliSurroundings, { url }: Common): readonly string[] =>
  (url ?? around.environmentUrl ?? DEFAULT_URLS).split(',');
export const clientFor = (around: CliSurroundings, common: Common): AdminClient =>
  new AdminClient(urlsFor(around, common));

export const askOver =
  (around: CliSurroundings): Ask =>
  async (options, request, show) => {
    try {
      const answer = await request(clientFor(around, options));
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

/** Asks for page after page: `after` is null for the first. */
export async function allPages<T extends { readonly next: string | null }>(
  ask: (after: string | null) => Promise<T>,
): Promise<readonly T[]> {
  const pages: T[] = [];
  do pages.push(await ask(pages.at(-1)?.next ?? null));
  while (pages.at(-1)!.next !== null);
  return pages;
}

/** Which members of a group are meant. */
export interface WhoOptions extends Common {
  readonly instance?: readonly string[];
  readonly all?: boolean;
}
export const withMembers = (command: Command): Command =>
  command
    .argument('<group>')
    .argument('[member...]', 'member ids')
    .option('--instance <id>', 'a static member, by its group.instance.id; as often as needed', repeated)
    .option('--all', 'everybody');

/** The query that names them. Undefined: nobody is named, or everybody and some. */
export function membersQuery(
  members: readonly string[],
  { instance = [], all = false }: WhoOptions,
): readonly (readonly [string, string])[] | undefined {
  if ((members.length > 0 || instance.length > 0) === all) return undefined;
  return [
    ...members.map((id) => ['member', id] as const),
    ...instance.map((id) => ['instance', id] as const),
    ...(all ? [['all', ''] as const] : []),
  ];
}

import type { Command } from 'commander';
import { type AdminClient, AdminClientError, type RebalancesJson } from '../admin/index.js';
import { type CliSurroundings, clientFor, type Common, groupPath, withCommonOptions } from './ask.js';
import { type Change, changesBetween, changeText, type Seen } from './changes.js';
import { allFences, groupDetail } from './group-views.js';
import { screenOf } from './screen.js';

const NOTHING: Seen = { detail: null, fences: [], rebalances: [] };
const CHANGES_KEPT = 100;
/** A line of the log of changes. */
interface Told {
  readonly at: Date;
  readonly text: string;
}

interface WatchOptions extends Common {
  readonly intervalMs: string;
  readonly lines?: boolean;
}

/** Runs until the process is told to end. */
export function addWatch(groups: Command, around: CliSurroundings): void {
  withCommonOptions(
    groups
      .command('watch')
      .description('follow one group: members, partitions, generations, hand-overs; ends with Ctrl-C')
      .argument('<group>')
      .option('--interval-ms <ms>', 'how often a replica is asked', '500')
      .option('--lines', 'a line for each change, also on a terminal'),
  ).action(async (group: string, _options: WatchOptions, command: Command) => {
    const options = command.optsWithGlobals<WatchOptions>();
    const intervalMs = Number(options.intervalMs);
    if (!(Number.isInteger(intervalMs) && intervalMs >= 50))
      return around.fail(`--interval-ms takes an integer from 50 on, not "${options.intervalMs}"`, 2);
    const admin = clientFor(around, options);
    const isDrawn = options.json !== true && options.lines !== true && around.terminal() !== undefined;
    const shown = isDrawn
      ? new Drawn(group, around)
      : options.json === true
        ? new JsonLines(around.print)
        : new Lines(group, around.print);
    await follow(admin, group, intervalMs, shown).catch((error: unknown) => {
      if (!(error instanceof AdminClientError)) throw error;
      around.fail(error.message, error.status === 0 ? 3 : 1);
    });
  });
}

interface Shown {
  /** What there is, and what has changed since the look before; undefined: this is the first one. */
  show(seen: Seen, changes: readonly Change[] | undefined, at: Date): void;
  /** No replica can tell. Once for each time. */
  silence(why: string, at: Date): void;
}

/** Rejects when the first look fails; later ones are tried again. */
async function follow(admin: AdminClient, group: string, intervalMs: number, shown: Shown): Promise<never> {
  let before = await look(admin, group);
  shown.show(before, undefined, new Date());
  for (let isSilent = false; ;) {
    await new Promise((resume) => setTimeout(resume, intervalMs));
    try {
      const seen = await look(admin, group);
      shown.show(seen, changesBetween(before, seen), new Date());
      before = seen;
      isSilent = false;
    } catch (error) {
      if (!(error instanceof AdminClientError)) throw error;
      if (!isSilent) shown.silence(error.message.split('\n', 1)[0]!, new Date());
      isSilent = true;
    }
  }
}

async function look(admin: AdminClient, group: string): Promise<Seen> {
  try {
    const [detail, { fences }, { rebalances }] = await Promise.all([
      groupDetail(admin, group),
      allFences(admin, group),
      admin.request<RebalancesJson>('GET', groupPath(group, '/rebalances')),
    ]);
    return { detail, fences, rebalances };
  } catch (error) {
    if (error instanceof AdminClientError && error.status === 404) return NOTHING;
    throw error;
  }
}

function headline(group: string, { detail, fences }: Seen): string {
  if (detail === null) return `${group}: there is no such group yet`;
  const { state, generation, leader } = detail.group;
  return `${group}: ${state}, generation ${generation}, ${detail.members.length} members, ${fences.length} partitions owned, coordinator ${leader ?? '-'}`;
}

const clock = (at: Date): string => at.toTimeString().slice(0, 8);
const toldText = ({ at, text }: Told): string => `${clock(at)}  ${text}`;

class Lines implements Shown {
  readonly #group: string;
  readonly #print: (line: string) => void;
  constructor(group: string, print: (line: string) => void) {
    this.#group = group;
    this.#print = print;
  }
  show(seen: Seen, changes: readonly Change[] | undefined, at: Date): void {
    const texts = changes === undefined ? [headline(this.#group, seen)] : changes.map(changeText);
    for (const text of texts) this.#print(toldText({ at, text }));
  }
  silence(why: string, at: Date): void {
    this.#print(toldText({ at, text: why }));
  }
}

class JsonLines implements Shown {
  readonly #print: (line: string) => void;
  constructor(print: (line: string) => void) {
    this.#print = print;
  }
  show(seen: Seen, changes: readonly Change[] | undefined, at: Date): void {
    for (const change of changes ?? [{ kind: 'seen', ...seen }])
      this.#print(JSON.stringify({ at: at.toISOString(), ...change }));
  }
  silence(why: string, at: Date): void {
    this.#print(JSON.stringify({ at: at.toISOString(), kind: 'silence', why }));
  }
}

/** The whole screen anew with each look. */
class Drawn implements Shown {
  readonly #group: string;
  readonly #around: CliSurroundings;
  readonly #told: Told[] = [];
  #seen: Seen = NOTHING;
  constructor(group: string, around: CliSurroundings) {
    this.#group = group;
    this.#around = around;
  }
  show(seen: Seen, changes: readonly Change[] | undefined, at: Date): void {
    this.#seen = seen;
    this.#draw((changes ?? []).map((change) => ({ at, text: changeText(change) })));
  }
  silence(why: string, at: Date): void {
    this.#draw([{ at, text: why }]);
  }
  #draw(told: readonly Told[]): void {
    this.#told.push(...told);
    this.#told.splice(0, this.#told.length - CHANGES_KEPT);
    const size = this.#around.terminal();
    if (size === undefined) return;
    const lines = screenOf(headline(this.#group, this.#seen), this.#seen, this.#told.map(toldText), size);
    // Home, each line to its end, and nothing left of what was below.
    this.#around.print(`\x1b[H${lines.map((line) => `${line}\x1b[K`).join('\n')}\x1b[J`);
  }
}

import { groupId, topicName } from '../../../src/kernel/index.js';
import type {
  GroupNews,
  GroupOutcome,
  GroupReply,
  JoinAnswer,
  SyncAnswer,
  Timer,
  TimerChange,
} from '../../../src/groups/index.js';
import { decodeAssignment } from '../../harness/consumer-protocol.js';
import { answerOf, GROUP, GroupsWorld } from './world.js';

/**
 * The language of the traces. A line that starts with `>` is an input, one that starts with `#` a remark; both are written
 * by hand. Lines of two spaces are what the group did, and `npm run traces` writes them. test/unit/groups/traces/README.md
 * has the words.
 */
export function play(text: string): string {
  const stage = new Stage();
  const inputs = text.split('\n').filter((line) => !line.startsWith('  '));
  return inputs
    .flatMap((line) => (line.startsWith('> ') ? [line, ...stage.perform(line.slice(2))] : [line]))
    .join('\n');
}

class Stage {
  readonly #world = new GroupsWorld();
  readonly #start = this.#world.at;
  #lines: string[] = [];
  #state = '';
  #fences = '';

  constructor() {
    const apply = this.#world.apply.bind(this.#world);
    this.#world.apply = (command) => {
      if (command.kind === 'group.expire')
        this.#say(`${this.#world.at - this.#start} ms: the timer ${timerText(command.timer)} passes`);
      const outcome = apply(command);
      this.#show(outcome);
      return outcome;
    };
  }

  /** One line of input; what it causes. */
  perform(line: string): readonly string[] {
    this.#lines = [];
    const [verb = '', ...words] = line.split(' ').filter((word) => word !== '');
    const command = COMMANDS[verb];
    if (command === undefined)
      throw new Error(`"${verb}" is no command: ${Object.keys(COMMANDS).join(', ')}`);
    const answer = command(this.#world, new Words(words));
    if (typeof answer === 'string') this.#say(answer);
    this.#showState();
    return this.#lines;
  }

  #say(text: string): void {
    this.#lines.push(`  ${text}`);
  }

  #show({ reply, news, timers }: GroupOutcome): void {
    if (reply.kind !== 'done') this.#say(replyText(reply));
    for (const item of news) this.#say(newsText(item, this.#start));
    if (timers.length > 0) this.#say(`timers: ${timers.map(changeText).join(', ')}`);
  }

  /** The state and the fences, when they have changed. */
  #showState(): void {
    const { state, generation, leader, members } = this.#world;
    const group =
      state === 'missing'
        ? '= no group'
        : `= ${state}, generation ${generation}, ${members.length === 0 ? 'no members' : members.map((id) => (id === leader ? `${id} (leader)` : id)).join(' ')}`;
    const fences = [...this.#world.fences()].map(
      ([scope, { owner, token }]) => `${scope.replace(`${GROUP}/`, '')} ${owner}@${token}`,
    );
    if (group !== this.#state) this.#say(group);
    if (fences.join() !== this.#fences) this.#say(`= fences: ${fences.join(', ') || 'none'}`);
    this.#state = group;
    this.#fences = fences.join();
  }
}

/** The words after the verb: places first, then `name=value` and flags. */
class Words {
  readonly #places: string[];
  readonly #options: Map<string, string>;
  readonly #read = new Set<string>();

  constructor(words: readonly string[]) {
    this.#places = words.filter((word) => !word.includes('=') && !FLAGS.has(word));
    const named = words
      .filter((word) => word.includes('='))
      .map((word) => word.split('=') as [string, string]);
    this.#options = new Map([
      ...named,
      ...words.filter((word) => FLAGS.has(word)).map((word) => [word, ''] as const),
    ]);
  }
  place(at: number): string {
    const word = this.#places[at];
    if (word === undefined) throw new Error(`word ${at + 1} is missing`);
    return word === '-' ? '' : word;
  }
  /** The present options out of these, by the name that the world gives them. */
  options<T>(readers: Readonly<Record<string, readonly [as: string, read: (text: string) => unknown]>>): T {
    const found: Record<string, unknown> = {};
    for (const [name, [as, read]] of Object.entries(readers)) {
      const text = this.#options.get(name);
      if (text === undefined) continue;
      this.#read.add(name);
      found[as] = read(text);
    }
    return found as T;
  }
  /** What no reader has taken: `member=partitions`. */
  assignments(): Record<string, number[]> {
    const rest = [...this.#options].filter(([name]) => !this.#read.has(name));
    return Object.fromEntries(
      rest.map(([member, text]) => [member, text === '' ? [] : text.split(',').map(Number)]),
    );
  }
  /** After all readers: a misspelled option must not pass unseen. */
  end(): void {
    const unread = [...this.#options.keys()].filter((name) => !this.#read.has(name));
    if (unread.length > 0) throw new Error(`no such option here: ${unread.join(', ')}`);
  }
}

const FLAGS = new Set(['id-required', 'resuming', 'can-skip']);
const text = (value: string): string => value;
const list = (value: string): string[] => value.split(',');
const yes = (): boolean => true;

const JOIN = {
  instance: ['instance', text],
  protocols: ['protocols', list],
  topics: ['topics', list],
  type: ['protocolType', text],
  session: ['sessionMs', Number],
  rebalance: ['rebalanceMs', Number],
  max: ['sizeMax', Number],
  'id-required': ['idRequired', yes],
  resuming: ['resuming', yes],
  'can-skip': ['canSkipAssignment', yes],
} as const;
const MEMBER = { generation: ['generation', Number], instance: ['instance', text] } as const;

const group = groupId(GROUP);

/** A command that is answered by the machine returns nothing; the others return their answer. */
const COMMANDS: Readonly<Record<string, (world: GroupsWorld, words: Words) => string | undefined>> = {
  join: (world, words) => {
    const options = words.options<object>(JOIN);
    words.end();
    world.join({ ...options, newId: words.place(0) });
    return undefined;
  },
  rejoin: (world, words) => {
    const options = words.options<object>(JOIN);
    words.end();
    world.join({ ...options, id: words.place(0) });
    return undefined;
  },
  sync: (world, words) => {
    const options = words.options<object>(MEMBER);
    world.sync(words.place(0), words.assignments(), options);
    return undefined;
  },
  heartbeat: (world, words) => {
    const options = words.options<object>(MEMBER);
    words.end();
    return `answer: ${world.heartbeat(words.place(0), options)}`;
  },
  commit: (world, words) => {
    const options = words.options<object>(MEMBER);
    words.end();
    world.commit(words.place(0), Number(words.place(1)), Number(words.place(2)), options);
    return undefined;
  },
  committed: (world, words) => `offset: ${world.committed(Number(words.place(0))) ?? 'none'}`,
  leave: (world, words) => {
    const { instance } = words.options<{ instance?: string }>({ instance: ['instance', text] });
    words.end();
    world.leave({ id: words.place(0), ...(instance === undefined ? {} : { instance }) });
    return undefined;
  },
  pass: (world, words) => {
    world.pass(Number(words.place(0)));
    return undefined;
  },
  'fail-over': (world) => {
    world.takeOver();
    return `timers: ${world.groups.timers().map(changeText).join(', ')}`;
  },
  'expire-offsets': (world, words) => {
    world.expire(Number(words.place(0)));
    return undefined;
  },
  'delete-group': (world) => {
    world.apply({ kind: 'group.delete', group });
    return undefined;
  },
  'delete-offsets': (world, words) => {
    const topics = [{ topic: topicName(words.place(0)), partitions: [Number(words.place(1))] }];
    world.apply({ kind: 'group.deleteOffsets', group, topics });
    return undefined;
  },
};

const timerText = (timer: Timer): string =>
  'member' in timer ? `${timer.kind} ${timer.member}` : timer.kind;

function changeText(change: TimerChange): string {
  switch (change.kind) {
    case 'arm':
      return `${timerText(change.timer)} in ${change.afterMs} ms`;
    case 'cancel':
      return `no ${timerText(change.timer)}`;
    case 'cancel-group':
      return 'none';
  }
}

function replyText(reply: GroupReply): string {
  switch (reply.kind) {
    case 'join':
      return `answer: ${joinText(reply.answer)}`;
    case 'sync':
      return `answer: ${syncText(reply.answer)}`;
    default:
      return `answer: ${answerOf(reply)}`;
  }
}

function joinText({
  error,
  generation,
  leader,
  protocolName,
  memberId,
  members,
  skipAssignment,
}: JoinAnswer): string {
  if (error !== 'NONE') return memberId === '' ? error : `${error}, id ${memberId}`;
  const leads =
    members.length === 0 ? `follows ${leader}` : `leads ${members.map((each) => each.memberId).join(' ')}`;
  const skips = skipAssignment ? ', skips the assignment' : '';
  return `generation ${generation}, ${protocolName}, ${leads}${skips}`;
}

function syncText({ error, assignment }: SyncAnswer): string {
  if (error !== 'NONE') return error;
  const topics = Object.entries(decodeAssignment(Buffer.from(assignment)));
  return topics.map(([topic, partitions]) => `${topic}[${partitions.join()}]`).join(' ') || 'no partitions';
}

function newsText(news: GroupNews, start: number): string {
  switch (news.kind) {
    case 'join-answer':
      return `-> ${news.memberId}: join: ${joinText(news.answer)}`;
    case 'sync-answer':
      return `-> ${news.memberId}: sync: ${syncText(news.answer)}`;
    case 'member-joined':
      return `${news.memberId} joined${news.instanceId === null ? '' : ` as ${news.instanceId}`}`;
    case 'member-left':
      return `${news.memberId} left: ${news.cause}`;
    case 'rebalance-started':
      return `rebalance starts: ${news.trigger.cause} ${news.trigger.memberId ?? ''}`.trimEnd();
    case 'rebalance-ended': {
      const { outcome, startedAt, stableAt, partitionsMoved, stragglers } = news.record;
      const from = `${startedAt - start} to ${stableAt === null ? '?' : stableAt - start} ms`;
      const moved = partitionsMoved === null ? '' : `, ${partitionsMoved} moved`;
      const late = stragglers.map(
        ({ memberId, waitedMs, removed }) =>
          `, ${memberId} ${removed ? 'removed' : 'last'} after ${waitedMs} ms`,
      );
      return `rebalance ends: ${outcome}, ${from}${moved}${late.join('')}`;
    }
    case 'assigned-twice':
      return `assigned twice: ${news.scope} to ${news.owner}, not ${news.loser}`;
    case 'group-empty':
      return 'the group is empty';
    case 'group-deleted':
      return 'the group is deleted';
  }
}

import { compareBallots, type Message } from '../../../src/paxos/index.js';
import { canonical } from './canonical.js';
import { FoundStates } from './found-states.js';
import { type Local, Machine, type Step } from './paxos-machine.js';
import { Channel, WORD } from './paxos-network.js';
import { type Action, type Bounds, ModelViolation, type Plant, REPLICAS } from './paxos-replica.js';

const N = REPLICAS.length;

export interface PaxosReport {
  readonly states: number;
  /** States of one replica, for each. */
  readonly locals: readonly number[];
  readonly letters: number;
  readonly transitions: number;
  /** False when `statesMax` or a violation ended the search. */
  readonly complete: boolean;
  readonly violation: { readonly says: string; readonly trace: readonly string[] } | undefined;
}

/**
 * Every state that three replicas can reach within the bounds, breadth first. A state of the cluster is the number of the
 * state of each replica, and of the set of letters in each channel. What a replica does in one of its states is computed
 * once, by the production core; the rest is looking up.
 */
export class PaxosModel {
  readonly #machines: readonly Machine[];
  /** By sender, then receiver. */
  readonly #channels = REPLICAS.map(() => REPLICAS.map(() => new Channel()));
  readonly #found = new FoundStates(N + N * N);
  readonly #parts = new Int32Array(N + N * N);
  readonly #agree = new Map<string, boolean>();
  #transitions = 0;

  constructor(bounds: Bounds, plant?: Plant) {
    this.#machines = REPLICAS.map(
      (id, at) =>
        new Machine(
          id,
          bounds,
          plant,
          this.#channels.map((to) => to[at]!),
          this.#channels[at]!,
        ),
    );
  }

  explore(statesMax = Infinity, progress?: (states: number, expanded: number) => void): PaxosReport {
    this.#found.add(this.#parts, -1);
    let state = 0;
    let violation: PaxosReport['violation'];
    for (; state < this.#found.count && this.#found.count < statesMax; state++) {
      if (state % 50_000 === 0) progress?.(this.#found.count, state);
      try {
        this.#expand(state);
      } catch (error) {
        if (!(error instanceof Error)) throw error;
        violation = { says: error.message, trace: this.#trace(state) };
        break;
      }
    }
    return {
      states: this.#found.count,
      locals: this.#machines.map(({ locals }) => locals.length),
      letters: this.#channels.flat().reduce((sum, { size }) => sum + size, 0),
      transitions: this.#transitions,
      complete: violation === undefined && state === this.#found.count,
      violation,
    };
  }

  #localsOf(state: number): Local[] {
    return this.#machines.map(({ locals }, at) => locals[this.#found.part(state, at)]!);
  }

  #setOf(state: number, from: number, to: number): number {
    return this.#found.part(state, N + N * from + to);
  }

  #expand(state: number): void {
    const locals = this.#localsOf(state);
    locals.forEach((local, at) => {
      const machine = this.#machines[at]!;
      for (const step of machine.stepsOf(local)) this.#take(state, locals, at, step);
      for (let from = 0; from < N; from++) {
        if (from === at) continue;
        const letters = this.#channels[from]![at]!.lettersOf(this.#setOf(state, from, at));
        const { effective, steps } = machine.tryLetters(local, from, letters);
        for (let word = 0; word < letters.length; word++) {
          for (let bits = letters[word]! & effective[word]!; bits !== 0; bits &= bits - 1)
            this.#take(state, locals, at, steps.get(word * WORD + 31 - Math.clz32(bits & -bits))!);
        }
      }
    });
  }

  /** A replica takes a step; its letters are on their way, and those that come too late for their receiver are gone. */
  #take(state: number, locals: readonly Local[], at: number, { to, letters }: Step): void {
    this.#transitions++;
    const parts = this.#parts;
    for (let i = 0; i < parts.length; i++) parts[i] = this.#found.part(state, i);
    parts[at] = to.number;
    for (let other = 0; other < N; other++) {
      if (other === at) continue;
      const outbound = N + N * at + other;
      const before = parts[outbound]!;
      for (const letter of letters[other]!)
        parts[outbound] = this.#channels[at]![other]!.with(parts[outbound]!, letter);
      const inbound = N + N * other + at;
      const sent = parts[outbound] !== before;
      if (sent) parts[outbound] = this.#open(at, other, locals[other]!, parts[outbound]!, parts[inbound]!);
      if (sent || to !== locals[at])
        parts[inbound] = this.#open(other, at, to, parts[inbound]!, parts[outbound]!);
    }
    if (!this.#found.add(parts, state)) return;
    if (to.told === locals[at]!.told) return;
    for (const [i, other] of locals.entries()) if (i !== at) this.#mustAgree(to.told, other.told);
  }

  /** Of the letters to a replica in its state those that can still change something, now or later. */
  #open(from: number, at: number, local: Local, set: number, answers: number): number {
    const inbox = local.inboxes[from]!;
    const key = set * 2 ** 24 + answers;
    let open = inbox.open.get(key);
    if (open === undefined) {
      const channel = this.#channels[from]![at]!;
      const back = this.#channels[at]![from]!;
      this.#machines[at]!.tryLetters(local, from, channel.lettersOf(set));
      open = channel.filter(set, (letter, message) => {
        if (!isPast(local, message)) return true;
        const step = inbox.steps.get(letter);
        return (
          step !== undefined &&
          (step.to !== local || !step.letters[from]!.every((answer) => back.has(answers, answer)))
        );
      });
      inbox.open.set(key, open);
    }
    return open;
  }

  /** Agreement: no two replicas are told different values of a slot. */
  #mustAgree(a: string, b: string): void {
    const key = `${a}\n${b}`;
    let agree = this.#agree.get(key);
    if (agree === undefined) {
      const others = b.split(',');
      agree = a
        .split(',')
        .every((value, at) => value === '' || (others[at] ?? '') === '' || others[at] === value);
      this.#agree.set(key, agree);
    }
    if (!agree) throw new ModelViolation(`two replicas apply different values: "${a}" and "${b}"`);
  }

  /** How a state is reached, one line a step. */
  #trace(state: number): readonly string[] {
    const lines: string[] = [];
    for (let at = state; this.#found.foundFrom(at) >= 0; at = this.#found.foundFrom(at)) {
      const before = this.#localsOf(this.#found.foundFrom(at));
      const after = this.#localsOf(at);
      const moved = after.findIndex((local, i) => local !== before[i]);
      if (moved >= 0) lines.push(`replica ${REPLICAS[moved]!} ${this.#label(before[moved]!, after[moved]!)}`);
    }
    return lines.reverse();
  }

  #label(before: Local, after: Local): string {
    const steps = [...(before.steps ?? []), ...before.inboxes.flatMap((inbox) => [...inbox.steps.values()])];
    const action = steps.find(({ to }) => to === after)?.action;
    return action === undefined ? 'moves' : describe(action);
  }
}

/**
 * Of a letter that does nothing in this state: whether that is so for ever. A configuration that has ended does not begin again. A ballot below the promise comes too late. What
 * is of the promised ballot itself is taken in order, so it counts once; but who may crash may need it again.
 */
function isPast({ configuration, floor, chosenThrough, crashesLeft }: Local, message: Message): boolean {
  if (message.configuration !== configuration) return message.configuration < configuration && !crashesLeft;
  if (!('ballot' in message)) return false;
  const order = compareBallots(message.ballot, floor);
  if (order !== 0 || crashesLeft) return order < 0;
  switch (message.kind) {
    case 'promise':
      return true;
    case 'accept':
      return message.chosenThrough <= chosenThrough;
    case 'accepted':
      return !message.gap;
    default:
      return false;
  }
}

function describe(action: Action): string {
  if (action.kind === 'crash') return `crashes, and ${action.kept} of its outstanding writes survive`;
  if (action.kind !== 'deliver') return action.kind;
  return `gets from ${action.from} ${canonical(action.message, new Set(['configuration']))}`;
}

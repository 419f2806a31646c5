import type { ApiName } from '../../src/wire/index.js';
import { type Difference, DIFFERENCES } from './differences.js';
import type { Ask, Sequence, Step, StepOutcome } from './sequence.js';

/** One place at which two answers differ. */
export interface Found {
  /** The step by the end of which the answers were compared, and the request that they answer. */
  readonly step: number;
  readonly asked: number;
  readonly api: ApiName;
  readonly version: number;
  readonly request: unknown;
  /** All steps of the sequence. */
  readonly steps: readonly Step[];
  /** In the answer: `groups.0.errorCode`. Empty: one server answered, the other did not. */
  readonly path: string;
  readonly kafka: unknown;
  readonly quorate: unknown;
  /** The whole answers. */
  readonly whole: { readonly kafka: unknown; readonly quorate: unknown };
}

export interface Verdict {
  readonly unexplained: readonly Found[];
  /** Ids of the differences on purpose that were met. */
  readonly explained: readonly string[];
  /** The number of steps that were compared. */
  readonly steps: number;
}

/** Up to the first unexplained difference, or the first after which the two servers cannot agree any more. */
export function compare(
  sequence: Sequence,
  kafka: readonly StepOutcome[],
  quorate: readonly StepOutcome[],
  differences: readonly Difference[] = DIFFERENCES,
): Verdict {
  const explained = new Set<string>();
  for (let step = 0; step < sequence.steps.length; step++) {
    const found = differencesOf(sequence, step, kafka[step]!, quorate[step]!);
    const unexplained: Found[] = [];
    let parted = false;
    for (const each of found) {
      const reason = differences.find(({ explains }) => explains?.(each) === true);
      if (reason === undefined) unexplained.push(each);
      else explained.add(reason.id);
      parted ||= reason?.parts === true;
    }
    if (parted) return { unexplained: [], explained: [...explained], steps: step + 1 };
    if (unexplained.length > 0) return { unexplained, explained: [...explained], steps: step + 1 };
  }
  return { unexplained: [], explained: [...explained], steps: sequence.steps.length };
}

function differencesOf(sequence: Sequence, step: number, kafka: StepOutcome, quorate: StepOutcome): Found[] {
  const asked = new Set([...Object.keys(kafka.answers), ...Object.keys(quorate.answers)].map(Number));
  for (const each of [...(kafka.closed ?? []), ...(quorate.closed ?? [])]) asked.add(each);
  if (kafka.stuck !== quorate.stuck && asked.size === 0) asked.add(step);
  return [...asked].flatMap((each) => {
    const request = sequence.steps[each]!;
    if (request.kind !== 'ask') return [];
    const whole = { kafka: answerOf(kafka, each), quorate: answerOf(quorate, each) };
    const { api, version, body }: Ask = request;
    return leaves(whole.kafka, whole.quorate, []).map(([path, theirs, ours]): Found => ({
      step,
      asked: each,
      api,
      version,
      request: body,
      steps: sequence.steps,
      path: path.join('.'),
      kafka: theirs,
      quorate: ours,
      whole,
    }));
  });
}

function answerOf({ answers, closed, stuck }: StepOutcome, asked: number): unknown {
  if (closed?.includes(asked) === true) return 'closed the connection';
  return answers[asked] ?? (stuck === true ? 'no answer, the wait was given up' : 'no answer yet');
}

/** The deepest places at which two values differ. Lists of other lengths differ as a whole. */
function leaves(a: unknown, b: unknown, path: readonly string[]): [readonly string[], unknown, unknown][] {
  if (Object.is(a, b)) return [];
  const bothObjects = typeof a === 'object' && typeof b === 'object' && a !== null && b !== null;
  if (!bothObjects || Array.isArray(a) !== Array.isArray(b)) return [[path, a, b]];
  if (Array.isArray(a) && a.length !== (b as unknown[]).length) return [[path, a, b]];
  const left = a as Readonly<Record<string, unknown>>;
  const right = b as Readonly<Record<string, unknown>>;
  return [...new Set([...Object.keys(left), ...Object.keys(right)])].flatMap((key) =>
    leaves(left[key], right[key], [...path, key]),
  );
}

/** An operation of a client on one object, in the time of the world. Infinity: nobody knows whether or when it happened. */
export interface Operation {
  readonly startedAt: number;
  readonly endedAt: number;
}

/**
 * The sequential behaviour of an object. `next` gives the states that an operation with its known outcome may lead to: none
 * when the outcome cannot be in this state, several when the outcome is not known.
 */
export interface Model<O extends Operation, S> {
  readonly initial: S;
  next(state: S, operation: O): readonly S[];
  key(state: S): string;
}

interface Node<O> {
  readonly operation: O;
  /** In the order of the calls. */
  readonly place: number;
  /** Of a call: its return; of a return: undefined. */
  readonly match: Node<O> | undefined;
  before: Node<O> | undefined;
  after: Node<O> | undefined;
}

interface Taken<O, S> {
  readonly call: Node<O>;
  /** Before it. */
  readonly state: S;
  readonly last: number;
  readonly choice: number;
}

/**
 * Whether the operations could have happened one after the other, each at a moment between its start and its end: the
 * search of Wing and Gong, which never looks twice at the same state behind the same set of operations (Lowe). Undefined
 * when they could; otherwise the first operation that no order explains.
 */
export function unexplained<O extends Operation, S>(
  operations: readonly O[],
  model: Model<O, S>,
): O | undefined {
  const head = eventsOf(operations);
  const seen = new Set<string>();
  const taken: Taken<O, S>[] = [];
  /** The highest place that was taken. */
  let last = -1;
  let state = model.initial;
  let deepest: { readonly count: number; readonly operation: O | undefined } = {
    count: -1,
    operation: undefined,
  };
  let at = head.after;
  let choice = 0;
  while (head.after !== undefined) {
    if (at?.match !== undefined) {
      const states = model.next(state, at.operation);
      const to = states[choice];
      if (to === undefined) {
        at = at.after;
        choice = 0;
        continue;
      }
      lift(at);
      const through = Math.max(last, at.place);
      const key = `${model.key(to)}|${through}${leftOut(head, through)}`;
      if (seen.has(key)) {
        unlift(at);
        choice++;
        continue;
      }
      seen.add(key);
      taken.push({ call: at, state, choice, last });
      state = to;
      last = through;
      at = head.after;
      choice = 0;
      continue;
    }
    // A return whose call has found no place, or the end: the last choice was wrong.
    if (taken.length > deepest.count) deepest = { count: taken.length, operation: at?.operation };
    const wrong = taken.pop();
    if (wrong === undefined) return deepest.operation ?? operations[0];
    unlift(wrong.call);
    ({ state, last } = wrong);
    at = wrong.call;
    choice = wrong.choice + 1;
  }
  return undefined;
}

/** The places up to `through` that were not taken: few, so that a set of operations has a short name however long the history is. */
function leftOut<O>(head: Node<O>, through: number): string {
  let places = '';
  for (let node = head.after; node !== undefined; node = node.after) {
    if (node.match === undefined) continue;
    if (node.place > through) break;
    places += `,${node.place}`;
  }
  return places;
}

/** Calls and returns in the order of time behind a head; at one moment calls come first: those operations overlap. Places are by call. */
function eventsOf<O extends Operation>(operations: readonly O[]): Node<O> {
  const events: { at: number; node: Node<O> }[] = [];
  const byCall = [...operations].sort((a, b) => a.startedAt - b.startedAt);
  for (const [place, operation] of byCall.entries()) {
    const end: Node<O> = { operation, place, match: undefined, before: undefined, after: undefined };
    events.push({ at: operation.endedAt, node: end });
    events.push({ at: operation.startedAt, node: { ...end, match: end } });
  }
  events.sort(
    (a, b) => compare(a.at, b.at) || Number(a.node.match === undefined) - Number(b.node.match === undefined),
  );
  const head: Node<O> = {
    operation: operations[0]!,
    place: -1,
    match: undefined,
    before: undefined,
    after: undefined,
  };
  let last = head;
  for (const { node } of events) {
    last.after = node;
    node.before = last;
    last = node;
  }
  return head;
}

// Infinity minus Infinity is no number.
const compare = (a: number, b: number): number => (a === b ? 0 : a < b ? -1 : 1);

function lift<O>(call: Node<O>): void {
  for (const node of [call, call.match!]) {
    node.before!.after = node.after;
    if (node.after !== undefined) node.after.before = node.before;
  }
}

function unlift<O>(call: Node<O>): void {
  for (const node of [call.match!, call]) {
    node.before!.after = node;
    if (node.after !== undefined) node.after.before = node;
  }
}

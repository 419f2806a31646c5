import type { ApiName } from '../../src/wire/index.js';

/**
 * A sequence of requests that can be sent to any server: names stand where the servers differ (member ids, generations, ids
 * of topics, names of groups). JSON, so that sequences are kept beside the answers that Kafka gave.
 */
export interface Sequence {
  readonly seed: number;
  /** What each group's name ends with; it begins with a prefix of its own in every run. */
  readonly groups: Readonly<Record<string, string>>;
  /** Client ids, where they differ from the client's name here. */
  readonly clients: Readonly<Record<string, string>>;
  readonly steps: readonly Step[];
}

export type Step = Ask | Until | Close;
/** One request of a client. */
export interface Ask {
  readonly kind: 'ask';
  readonly client: string;
  readonly api: ApiName;
  readonly version: number;
  /** The request as the codec takes it, with places to fill (`Place`). */
  readonly body: unknown;
}
/** Waits for what time does: a session or a barrier ends. `client` is gone from the group, or all joins are answered. */
export interface Until {
  readonly kind: 'until';
  readonly what: 'gone' | 'joined';
  readonly group: string;
  readonly client: string;
}
/** The client loses its connections, and what it waited for. */
export interface Close {
  readonly kind: 'close';
  readonly client: string;
}

/** What stands in a body for a value that only a run knows. */
export type Place =
  | { readonly $group: string }
  /** The id that a client was given last, or `back` ids before. */
  | { readonly $id: string; readonly back?: number }
  /** The generation that a client learned last, plus a number. */
  | { readonly $generation: string; readonly plus: number }
  | { readonly $topicId: string }
  | { readonly $int64: string }
  /** A long text: a character, so many times. */
  | { readonly $long: string; readonly times: number }
  /** Base64. */
  | { readonly $bytes: string }
  /** What a member of protocol type "consumer" subscribes to, or is given. */
  | { readonly $subscription: readonly string[] }
  | { readonly $assignment: Readonly<Record<string, readonly number[]>> }
  /** `then` when the client was told that it leads its group, else nothing. */
  | { readonly $ifLeader: string; readonly then: unknown };

/** Topics that are there before a sequence begins, with their partitions. */
export const TOPICS: Readonly<Record<string, number>> = { 'cmp-a': 3, 'cmp-b': 1 };
export const MISSING_TOPIC = 'cmp-missing';

/** What came back by the end of one step: answers by the number of the step that asked. */
export interface StepOutcome {
  readonly answers: Readonly<Record<number, unknown>>;
  /** Closed by the server. */
  readonly closed?: readonly number[];
  /** The step's condition did not come true. */
  readonly stuck?: true;
}

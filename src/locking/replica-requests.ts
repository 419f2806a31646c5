import { OutcomeUnknownError, StoreUnavailableError } from './errors.js';
import { type HttpRequest, ReplicaConnections, withoutSlash } from './replica-connections.js';

interface ReplicaRequestsOptions {
  readonly urls: readonly string[];
  readonly requestTimeoutMs: number;
}

interface ReplicaAnswer {
  readonly status: number;
  readonly body: unknown;
}

/** A replica found something wrong with a request. Nothing happened, and asking again would change nothing. */
export class RequestRefusedError extends Error {
  override readonly name = 'RequestRefusedError';
}

type Heard =
  | { readonly kind: 'answer'; readonly answer: ReplicaAnswer }
  /** Another replica leads. */
  | { readonly kind: 'elsewhere'; readonly url: string }
  /** Nothing of the request left, or the replica said that it did nothing, or it was a read: ask the next one. */
  | { readonly kind: 'ask-another'; readonly why: Error; readonly reached: boolean };

const RETRY_MS = 50;
/** For how long no redirect is followed to an address that did not answer. */
const UNREACHABLE_MS = 30_000;
/** Problems that are answers; any other one below 500 is a refusal. A 404 without its code says that no replica is there. */
const ANSWERS: readonly unknown[] = ['not-found', 'stale-epoch'];

/** Finds a replica that answers, stays with it, and knows what a lost answer means. */
export class ReplicaRequests {
  readonly #options: ReplicaRequestsOptions;
  readonly #replicas: readonly ReplicaConnections[];
  /** Answered last, or was named as the leader by the one that did. */
  #preferred: ReplicaConnections;
  /** Leaders by names that lead nowhere from here (NAT, an ingress), until when (`performance.now`). */
  readonly #unreachable = new Map<string, number>();

  constructor(options: ReplicaRequestsOptions) {
    this.#options = options;
    this.#replicas = options.urls.map((url) => new ReplicaConnections(url));
    const [first] = this.#replicas;
    if (first === undefined) throw new TypeError('give at least one URL of a replica');
    this.#preferred = first;
  }

  /**
   * Tries replica after replica while it is certain that nothing happened, once at least and until `until`
   * (`performance.now`). Throws OutcomeUnknownError, StoreUnavailableError or RequestRefusedError.
   */
  async request(request: HttpRequest, until: number): Promise<ReplicaAnswer> {
    for (let attempt = 1; ; attempt++) {
      const heard = await this.#askAndFollow(request);
      if (heard.kind === 'answer') return heard.answer;
      if (performance.now() > until) {
        const { urls } = this.#options;
        throw new StoreUnavailableError(`no replica can answer (${urls.join(', ')})`, heard.why);
      }
      if (attempt % this.#replicas.length === 0) await new Promise((resume) => setTimeout(resume, RETRY_MS));
    }
  }

  async #askAndFollow(request: HttpRequest): Promise<Exclude<Heard, { kind: 'elsewhere' }>> {
    const asked = this.#preferred;
    const heard = await this.#ask(asked, request);
    if (heard.kind !== 'elsewhere') return heard;
    const leader = this.#at(heard.url);
    if (this.#isUnreachable(leader.url)) return this.#askHere(asked, request);
    // Whatever is asked next goes there at once.
    this.#preferred = leader;
    const answer = await this.#ask(leader, request);
    if (answer.kind === 'answer') return answer;
    if (answer.kind === 'elsewhere') {
      this.#leave(leader);
      const why = new Error(`${asked.url} and ${leader.url} each name another leader`);
      return { kind: 'ask-another', why, reached: true };
    }
    if (answer.reached) return answer;
    this.#unreachable.set(leader.url, performance.now() + UNREACHABLE_MS);
    this.#preferred = asked;
    return this.#askHere(asked, request);
  }

  /** A replica that does not lead reads through the leader. Only reads are redirected. */
  async #askHere(
    replica: ReplicaConnections,
    request: HttpRequest,
  ): Promise<Exclude<Heard, { kind: 'elsewhere' }>> {
    const path = `${request.path}${request.path.includes('?') ? '&' : '?'}redirect=no`;
    const heard = await this.#ask(replica, { ...request, path });
    if (heard.kind !== 'elsewhere') return heard;
    // Of an older version, which knows only the redirect: perhaps another of the URLs is the leader.
    this.#leave(replica);
    const why = new Error(`${replica.url} names ${heard.url} as the leader, which cannot be reached`);
    return { kind: 'ask-another', why, reached: false };
  }

  #isUnreachable(url: string): boolean {
    return (this.#unreachable.get(url) ?? 0) > performance.now();
  }

  async #ask(replica: ReplicaConnections, request: HttpRequest): Promise<Heard> {
    const exchange = await replica.exchange(request, this.#options.requestTimeoutMs);
    if (exchange.kind === 'failed') {
      this.#leave(replica);
      const { left, error } = exchange;
      return lost(request, error, left, false);
    }
    const { status, location, text } = exchange;
    if (status === 307) {
      const url = leaderUrl(location, request.path);
      if (url !== undefined) return { kind: 'elsewhere', url };
    }
    const body = objectOf(text);
    if (body === undefined) {
      // The answer is not from a replica, so it is unknown what happened to the request.
      this.#leave(replica);
      return lost(request, new Error(`${replica.url} answered ${status} and no JSON`), true, false);
    }
    const { code, detail = `status ${status}` } = body as {
      readonly code?: unknown;
      readonly detail?: string;
    };
    if ((status >= 200 && status < 300) || ANSWERS.includes(code))
      return { kind: 'answer', answer: { status, body } };
    if (status < 500) throw new RequestRefusedError(`Quorate refused the request: ${detail}`);
    this.#leave(replica);
    return lost(request, new Error(detail), status !== 503, true);
  }

  /** A leader may go by another name than the one it has in `urls`. */
  #at(leader: string): ReplicaConnections {
    const known = [this.#preferred, ...this.#replicas].find(({ url }) => url === leader);
    return known ?? new ReplicaConnections(leader);
  }

  /** Does nothing when another request has already left it: many requests may fail at the same time. */
  #leave(replica: ReplicaConnections): void {
    if (this.#preferred !== replica) return;
    this.#preferred = this.#replicas[(this.#replicas.indexOf(replica) + 1) % this.#replicas.length]!;
  }
}

function objectOf(json: string): object | undefined {
  try {
    const value: unknown = JSON.parse(json);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

/** A read may always be repeated; a write only when it certainly did not happen. */
function lost(
  { method }: HttpRequest,
  why: Error,
  mayHaveHappened: boolean,
  reached: boolean,
): Exclude<Heard, { kind: 'answer' | 'elsewhere' }> {
  if (mayHaveHappened && method !== 'GET') throw new OutcomeUnknownError('a write to Quorate', why);
  return { kind: 'ask-another', why, reached };
}

/** Where the very same request is to be sent, as a replica says that does not lead. */
function leaderUrl(location: string | undefined, path: string): string | undefined {
  const end = `/${path}`;
  if (location?.endsWith(end) !== true) return undefined;
  const url = withoutSlash(location.slice(0, -end.length));
  return URL.canParse(url) ? url : undefined;
}

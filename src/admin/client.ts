import { unframed } from './backup-stream.js';
import type { ProblemJson } from './shapes.js';

/** The HTTP side answered with a problem, or nobody answered. */
export class AdminClientError extends Error {
  override readonly name = 'AdminClientError';
  constructor(
    message: string,
    /** 0 when nobody answered. */
    readonly status: number,
  ) {
    super(message);
  }
}

/** How long a cluster may be without a leader before a request is given up. Milliseconds. */
const LEADERLESS_MS = 5_000;
const RETRY_MS = 200;

type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE';

/** Asks the first replica that answers and can. Where none can at the moment, all of them again for a while. */
export class AdminClient {
  readonly #urls: readonly string[];

  constructor(urls: readonly string[]) {
    this.#urls = urls.map((url) => url.replace(/\/+$/, ''));
  }

  /** Throws AdminClientError. */
  async request<T>(method: Method, path: string, body?: unknown): Promise<T> {
    const until = performance.now() + LEADERLESS_MS;
    for (;;) {
      const round = await this.#round(method, path, body);
      if (!('refusal' in round)) return round.answer as T;
      // Nothing happened.
      if (round.refusal.status !== 503 || performance.now() > until) throw round.refusal;
      await new Promise((resume) => setTimeout(resume, RETRY_MS));
    }
  }

  /** What each replica that answers says. */
  async everybody<T>(path: string): Promise<readonly T[]> {
    const asked = this.#urls.map(async (url) => {
      const response = await fetch(`${url}${path}`, { signal: AbortSignal.timeout(2_000) });
      return response.ok ? ((await response.json()) as T) : undefined;
    });
    const answers = await Promise.allSettled(asked);
    return answers.flatMap((each) =>
      each.status === 'fulfilled' && each.value !== undefined ? [each.value] : [],
    );
  }

  /**
   * The state of a shard, from the first replica that gives it. Throws AdminClientError when none does, and when it ends before all
   * has come: then ask again.
   */
  async shard(shard: number): Promise<ShardStream> {
    const failures: string[] = [];
    for (const url of this.#urls) {
      const silence = new Silence();
      try {
        const response = await fetch(`${url}/backup/${shard}`, { signal: silence.signal });
        silence.heard();
        if (!response.ok || response.body === null)
          throw new Error(
            ((await response.json()) as Partial<ProblemJson>).detail ?? `status ${response.status}`,
          );
        const { headers, body } = response;
        return {
          from: url,
          clusterId: headers.get('quorate-cluster') ?? '',
          shards: Number(headers.get('quorate-shards')),
          slot: Number(headers.get('quorate-slot')),
          chunks: silence.watching(unframed(body)),
        };
      } catch (error) {
        silence.end();
        failures.push(`${url}: ${causeOf(error)}`);
      }
    }
    throw new AdminClientError(`no replica gives shard ${shard}:\n  ${failures.join('\n  ')}`, 0);
  }

  /** The answer of the first of them alone, and at once. Throws AdminClientError that says why there is none. */
  async only<T>(path: string): Promise<T> {
    try {
      const response = await fetch(`${this.#urls[0]!}${path}`, { signal: AbortSignal.timeout(5_000) });
      if (!response.ok)
        throw new AdminClientError(`it answers with status ${response.status}`, response.status);
      return (await response.json()) as T;
    } catch (error) {
      throw error instanceof AdminClientError ? error : new AdminClientError(causeOf(error), 0);
    }
  }

  async #round(
    method: Method,
    path: string,
    body: unknown,
  ): Promise<{ readonly answer: unknown } | { readonly refusal: AdminClientError }> {
    const failures: string[] = [];
    let unavailable: AdminClientError | undefined;
    for (const url of this.#urls) {
      let response: Response;
      try {
        response = await fetch(`${url}${path}`, {
          method,
          signal: AbortSignal.timeout(10_000),
          ...(body === undefined
            ? {}
            : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
        });
      } catch (error) {
        failures.push(`${url}: ${causeOf(error)}`);
        continue;
      }
      const answer: unknown = await response.json();
      if (response.ok) return { answer };
      const refusal = new AdminClientError(
        (answer as Partial<ProblemJson>).detail ?? `status ${response.status}`,
        response.status,
      );
      if (response.status !== 503) return { refusal };
      // This one does not know or cannot; the next one may.
      unavailable ??= refusal;
    }
    if (unavailable !== undefined) return { refusal: unavailable };
    throw new AdminClientError(
      `no replica answers. Start three with "npx quorate up" (in a checkout: "npm start"), or say where they are with --url or QUORATE_URL.\n  ${failures.join('\n  ')}`,
      0,
    );
  }
}

/** A shard of a cluster as it was at a slot. */
interface ShardStream {
  /** Which replica gives it. */
  readonly from: string;
  readonly clusterId: string;
  readonly shards: number;
  readonly slot: number;
  readonly chunks: AsyncIterable<Uint8Array>;
}

function causeOf(error: unknown): string {
  const cause = (error as Error & { cause?: Error }).cause ?? (error as Error);
  return cause.message === '' ? cause.name : cause.message;
}

/** A stream of which nothing came for so long is given up. Milliseconds. */
const SILENCE_MS = 20_000;

class Silence {
  readonly #abort = new AbortController();
  #timer: NodeJS.Timeout | undefined;

  constructor() {
    this.heard();
  }
  get signal(): AbortSignal {
    return this.#abort.signal;
  }
  heard(): void {
    clearTimeout(this.#timer);
    const reason = new Error(`nothing came for ${SILENCE_MS / 1_000} s`);
    this.#timer = setTimeout(() => this.#abort.abort(reason), SILENCE_MS);
  }
  end(): void {
    clearTimeout(this.#timer);
  }

  /** The same chunks. Throws AdminClientError when they end before all have come. */
  async *watching(chunks: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
    try {
      for await (const chunk of chunks) {
        this.heard();
        yield chunk;
      }
    } catch (error) {
      throw new AdminClientError(causeOf(error), 0);
    } finally {
      this.end();
    }
  }
}

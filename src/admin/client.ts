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
        const cause = (error as Error & { cause?: Error }).cause ?? (error as Error);
        failures.push(`${url}: ${cause.message === '' ? cause.name : cause.message}`);
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

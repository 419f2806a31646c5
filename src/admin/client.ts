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

/** Asks the first replica that answers and can. */
export class AdminClient {
  readonly #urls: readonly string[];

  constructor(urls: readonly string[]) {
    this.#urls = urls.map((url) => url.replace(/\/+$/, ''));
  }

  /** Throws AdminClientError. */
  async request<T>(method: 'GET' | 'POST' | 'DELETE', path: string, body?: unknown): Promise<T> {
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
      if (response.ok) return answer as T;
      const refusal = new AdminClientError(
        (answer as Partial<ProblemJson>).detail ?? `status ${response.status}`,
        response.status,
      );
      if (response.status !== 503) throw refusal;
      // This one does not know or cannot; the next one may.
      unavailable ??= refusal;
    }
    if (unavailable !== undefined) throw unavailable;
    throw new AdminClientError(
      `no replica answers. Start one (npm start), or say where they are with --url or QUORATE_URL.\n  ${failures.join('\n  ')}`,
      0,
    );
  }
}

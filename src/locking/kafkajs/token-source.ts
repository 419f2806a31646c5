/** A grant as the coordinator lists it. */
export interface Grant {
  readonly scope: string;
  readonly owner: string;
  readonly token: bigint;
  /** The group was stable when this was read: who is not named as the owner now does not become it in this generation. */
  readonly isSettled?: boolean;
}

interface FencesAnswer {
  readonly state: string;
  readonly generation: number;
  /** Where the next part begins; older replicas send all at once. */
  readonly next?: string | null;
  readonly fences: readonly { readonly scope: string; readonly owner: string; readonly token: number }[];
}

/** Where tokens come from; tests may use another one. */
export interface TokenSource {
  /** The grants of a group as of now. Rejects when no replica can answer at the moment. */
  grants(group: string, signal: AbortSignal): Promise<readonly Grant[]>;
}

/** A path cannot hold every name (docs/admin.md). */
function fencesPath(group: string): string {
  if (['', '.', '..'].includes(group)) return `/group/fences?id=${group}&fresh`;
  return `/groups/${encodeURIComponent(group)}/fences?fresh`;
}

/** `GET /groups/:id/fences?fresh` of any replica: answered by the leader, as of now. */
export class HttpTokenSource implements TokenSource {
  readonly #urls: readonly string[];
  readonly #requestTimeoutMs: number;
  #preferred = 0;

  constructor(urls: readonly string[], requestTimeoutMs: number) {
    if (urls.length === 0)
      throw new TypeError('give at least one URL of a replica, e.g. http://127.0.0.1:8080');
    this.#urls = urls.map((url) => url.replace(/\/+$/, ''));
    this.#requestTimeoutMs = requestTimeoutMs;
  }

  async grants(group: string, signal: AbortSignal): Promise<readonly Grant[]> {
    const url = this.#urls[this.#preferred]!;
    try {
      const grants: Grant[] = [];
      let first: FencesAnswer | undefined;
      let after = '';
      for (;;) {
        const response = await fetch(`${url}${fencesPath(group)}${after}`, {
          signal: AbortSignal.any([signal, AbortSignal.timeout(this.#requestTimeoutMs)]),
        });
        if (!response.ok) throw new Error(`${url} answered ${response.status}`);
        const answer = (await response.json()) as FencesAnswer;
        first ??= answer;
        // Parts of two generations say nothing together.
        if (answer.generation !== first.generation || answer.state !== first.state)
          throw new Error(`the group changed while its fences were read from ${url}`);
        const isSettled = answer.state === 'Stable';
        for (const { scope, owner, token } of answer.fences)
          grants.push({ scope, owner, token: BigInt(token), isSettled });
        if (typeof answer.next !== 'string') return grants;
        after = `&after=${encodeURIComponent(answer.next)}`;
      }
    } catch (error) {
      this.#preferred = (this.#preferred + 1) % this.#urls.length;
      throw error;
    }
  }
}

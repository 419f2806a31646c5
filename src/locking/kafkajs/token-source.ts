/** A grant as the coordinator lists it. */
export interface Grant {
  readonly scope: string;
  readonly owner: string;
  readonly token: bigint;
  /** The group was stable when this was read: who is not named as the owner now does not become it in this generation. */
  readonly isSettled?: boolean;
  /** The generation of the group when this was read. */
  readonly groupGeneration?: number;
  /** As the owner asked for when it joined. Milliseconds; absent from older replicas. */
  readonly sessionTimeoutMs?: number;
}

interface FencesAnswer {
  readonly state: string;
  readonly generation: number;
  /** Where the next part begins; older replicas send all at once. */
  readonly next?: string | null;
  readonly fences: readonly {
    readonly scope: string;
    readonly owner: string;
    readonly token: number;
    readonly sessionTimeoutMs?: number | null;
  }[];
}

/** Where tokens come from; tests may use another one. */
export interface TokenSource {
  /** The grants of a group as of now. Rejects when no replica can answer at the moment. */
  grants(group: string, signal: AbortSignal): Promise<readonly Grant[]>;
}

/** A path cannot hold every name (docs/admin.md). With `redirect=no` the replica asked needs not lead: it asks the leader. */
function fencesPath(group: string): string {
  if (['', '.', '..'].includes(group)) return `/group/fences?id=${group}&fresh&redirect=no`;
  return `/groups/${encodeURIComponent(group)}/fences?fresh&redirect=no`;
}

/** `GET /groups/:id/fences?fresh`: answered as of now. Each of the URLs is asked until one answers. */
export class HttpTokenSource implements TokenSource {
  readonly #urls: readonly string[];
  readonly #requestTimeoutMs: number;
  /** Answered last. */
  #preferred = 0;

  constructor(urls: readonly string[], requestTimeoutMs: number) {
    if (urls.length === 0)
      throw new TypeError('give at least one URL of a replica, e.g. http://127.0.0.1:8080');
    for (const url of urls)
      if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol))
        throw new TypeError(`"${url}" is no URL of a replica; one looks like http://127.0.0.1:8080`);
    this.#urls = urls.map((url) => url.replace(/\/+$/, ''));
    this.#requestTimeoutMs = requestTimeoutMs;
  }

  /** Rejects with what each of the URLs said. */
  async grants(group: string, signal: AbortSignal): Promise<readonly Grant[]> {
    const said: string[] = [];
    for (let i = 0; i < this.#urls.length; i++) {
      const at = (this.#preferred + i) % this.#urls.length;
      try {
        const grants = await this.#ask(this.#urls[at]!, group, signal);
        this.#preferred = at;
        return grants;
      } catch (error) {
        signal.throwIfAborted();
        said.push(`${this.#urls[at]!}: ${whyOf(error)}`);
      }
    }
    throw new Error(said.join('; '));
  }

  async #ask(url: string, group: string, signal: AbortSignal): Promise<readonly Grant[]> {
    const grants: Grant[] = [];
    let first: FencesAnswer | undefined;
    let after = '';
    for (;;) {
      const response = await fetch(`${url}${fencesPath(group)}${after}`, {
        signal: AbortSignal.any([signal, AbortSignal.timeout(this.#requestTimeoutMs)]),
      });
      const answer = await fencesIn(response);
      first ??= answer;
      // Parts of two generations say nothing together.
      if (answer.generation !== first.generation || answer.state !== first.state)
        throw new Error('the group changed while its fences were read');
      const isSettled = answer.state === 'Stable';
      for (const { scope, owner, token, sessionTimeoutMs } of answer.fences)
        grants.push({
          ...{ scope, owner, token: BigInt(token), isSettled, groupGeneration: answer.generation },
          ...(typeof sessionTimeoutMs === 'number' ? { sessionTimeoutMs } : {}),
        });
      if (typeof answer.next !== 'string') return grants;
      after = `&after=${encodeURIComponent(answer.next)}`;
    }
  }
}

/** Throws when the answer is none of a replica about a group that it knows. */
async function fencesIn(response: Response): Promise<FencesAnswer> {
  const answer = (await response.json().catch(() => undefined)) as
    (FencesAnswer & { readonly detail?: string; readonly title?: string }) | undefined;
  if (response.ok && Array.isArray(answer?.fences)) return answer;
  // A problem of Quorate (RFC 9457) has a title; whatever else answers there is no replica.
  if (answer?.title === undefined)
    throw new Error(`answered ${response.status}, and not as a replica of Quorate does`);
  throw new Error(`answered ${response.status}: ${answer.detail ?? answer.title}`);
}

/** `fetch` hides the reason in the cause. */
function whyOf(error: unknown): string {
  const { message, cause } = error as { message: string; cause?: { message?: string; code?: string } };
  return cause?.message || cause?.code || message;
}

/** A part of a list in the order of its keys. */
export interface PageQuery {
  readonly limit: number;
  /** The key after which it begins; undefined: at the beginning. */
  readonly after: string | undefined;
}

export interface Page<T> {
  readonly items: readonly T[];
  /** The key to begin after for the next part; null: this was the last. */
  readonly next: string | null;
}

export const PAGE_MAX = 10_000;

/** What `limit` and `after` of a query ask for; undefined when they make no sense. */
export function pageQuery(limit: string | undefined, after: string | undefined): PageQuery | undefined {
  if (limit === undefined) return { limit: PAGE_MAX, after };
  const items = Number(limit);
  return Number.isSafeInteger(items) && items >= 1 && items <= PAGE_MAX ? { limit: items, after } : undefined;
}

export function page<T>(all: readonly T[], keyOf: (item: T) => string, { limit, after }: PageQuery): Page<T> {
  const keyed = all.map((item) => ({ key: keyOf(item), item }));
  const rest = after === undefined ? keyed : keyed.filter(({ key }) => key > after);
  rest.sort((a, b) => (a.key < b.key ? -1 : 1));
  const shown = rest.slice(0, limit);
  return {
    items: shown.map(({ item }) => item),
    next: rest.length > limit ? shown.at(-1)!.key : null,
  };
}

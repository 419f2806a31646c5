/** What a run has learned and an answer may hold: each with the name by which both servers' answers are compared. */
export interface Names {
  /** Member ids, groups, topic ids, addresses. */
  readonly texts: ReadonlyMap<string, string>;
  /** What to take off the generations of a group, so that its first is 1. */
  readonly generationBase: number;
}

/** The times and texts that no client acts on. */
const IGNORED = new Set(['throttleTimeMs', 'errorMessage']);
/** Longer texts are cut: a note of 4,096 characters says nothing more. */
const SHOWN = 1_000;
const UUID = /(?!0{8})[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** An answer as plain JSON in which two servers agree if they do the same: names for ids, lists in one order. */
export function plain(value: unknown, names: Names): unknown {
  if (Buffer.isBuffer(value)) return value.length === 0 ? '' : `base64:${value.toString('base64')}`;
  if (typeof value === 'bigint') return `${value}`;
  if (typeof value === 'string') return plainText(value, names);
  if (Array.isArray(value)) {
    const items = value.map((item) => plain(item, names));
    return items.sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
  }
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([key]) => !IGNORED.has(key));
  return Object.fromEntries(
    entries.map(([key, item]) => {
      if (key === 'generationId' && typeof item === 'number' && item > 0)
        return [key, item - names.generationBase];
      return [key, plain(item, names)];
    }),
  );
}

function plainText(text: string, { texts }: Names): string {
  const name = texts.get(text);
  if (name !== undefined) return name;
  if (text.length > SHOWN) return `${text.slice(0, 20)}, ${text.length} long`;
  return text.replace(UUID, '<uuid>');
}

/** Longer texts are not remembered. Bytes. */
const BYTES_MAX = 64;
/** So many at most; a power of two. */
const PLACES = 2_048;

/** The bytes of the text at each place, behind each other. */
const bytes = new Uint8Array(PLACES * BYTES_MAX);
const texts = new Array<string>(PLACES).fill('');

/**
 * The text of `from[start, end)` in UTF-8. Names of groups, members and topics come with each request and each command: to see that
 * a short one is the text of before takes a third of the time of making it, and a Map finds the same string sooner. What is
 * remembered changes nothing but that time.
 */
export function textOf(from: Buffer, start: number, end: number): string {
  const length = end - start;
  if (length > BYTES_MAX) return from.toString('utf8', start, end);
  let hash = length;
  let all = 0;
  for (let i = start; i < end; i++) {
    const byte = from[i]!;
    all |= byte;
    hash = Math.imul(hash ^ byte, 0x0100_0193);
  }
  if (all >= 0x80) return from.toString('utf8', start, end);
  const place = (hash ^ (hash >>> 15)) & (PLACES - 1);
  const known = texts[place]!;
  if (known.length === length && isAt(place, from, start, end)) return known;
  const text = from.toString('latin1', start, end);
  texts[place] = text;
  for (let i = 0; i < length; i++) bytes[place * BYTES_MAX + i] = from[start + i]!;
  return text;
}

function isAt(place: number, from: Buffer, start: number, end: number): boolean {
  for (let i = start, at = place * BYTES_MAX; i < end; i++, at++) if (bytes[at] !== from[i]) return false;
  return true;
}

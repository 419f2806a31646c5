/** Equal data in equal text, whatever order it was put together in. Time, chance and what only they decide is left out. */
export function canonical(value: unknown, leftOut: ReadonlySet<string>): string {
  const write = (part: unknown): string => {
    if (typeof part !== 'object' || part === null) return String(part);
    if (Array.isArray(part)) return `[${part.map(write).join()}]`;
    if (part instanceof Uint8Array)
      return Buffer.from(part.buffer, part.byteOffset, part.length).toString('latin1');
    if (part instanceof Set) return `{${[...part].map(write).sort().join()}}`;
    if (part instanceof Map)
      return `{${[...part]
        .map(([key, of]) => `${write(key)}:${write(of)}`)
        .sort()
        .join()}}`;
    let text = '(';
    for (const name of Object.keys(part).sort()) {
      if (!leftOut.has(name)) text += `${name}:${write((part as Record<string, unknown>)[name])},`;
    }
    return `${text})`;
  };
  return write(value);
}

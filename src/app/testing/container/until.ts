const POLL_MS = 50;

/** What the probe finds, as soon as it finds something. Rejects after `withinMs`; `details` are added to that error. */
export async function until<T>(
  what: string,
  withinMs: number,
  probe: () => Promise<T | false | undefined>,
  details: () => Promise<string> = () => Promise.resolve(''),
): Promise<T> {
  const end = performance.now() + withinMs;
  for (;;) {
    const found = await probe();
    if (found !== false && found !== undefined) return found;
    if (performance.now() > end) throw new Error(`not within ${withinMs} ms: ${what}${await details()}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

import type { History } from '../history.js';

/** After a write with a token was taken, none with a lower token is. */
export function olderTokensAreRefused({ records }: History): string | undefined {
  const taken = records.filter(
    ({ kind, version, token }) => kind === 'write' && version !== undefined && token !== undefined,
  );
  const ended = [...taken].sort((a, b) => a.endedAt - b.endedAt);
  const highest = new Map<string, number>();
  let at = 0;
  for (const write of [...taken].sort((a, b) => a.startedAt - b.startedAt)) {
    for (; at < ended.length && ended[at]!.endedAt < write.startedAt; at++) {
      const { space, token } = ended[at]!;
      highest.set(space, Math.max(highest.get(space) ?? 0, token!));
    }
    const before = highest.get(write.space) ?? 0;
    if (write.token! < before)
      return `${write.space}: a write with token ${write.token} was taken after one with ${before}`;
  }
  return undefined;
}

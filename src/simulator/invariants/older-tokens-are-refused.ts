import type { History, RecordAccess } from '../history.js';

/** After a write with a token was taken, none with a lower token is. */
export function olderTokensAreRefused({ records }: History): string | undefined {
  const taken = records.filter(
    (access): access is RecordAccess & { readonly write: { readonly token: number } } =>
      access.write !== undefined && access.outcome === 'ok',
  );
  const ended = [...taken].sort((a, b) => a.endedAt - b.endedAt);
  const highest = new Map<string, number>();
  let at = 0;
  for (const { space, startedAt, write } of [...taken].sort((a, b) => a.startedAt - b.startedAt)) {
    for (; at < ended.length && ended[at]!.endedAt < startedAt; at++) {
      const { space, write } = ended[at]!;
      highest.set(space, Math.max(highest.get(space) ?? 0, write.token));
    }
    const before = highest.get(space) ?? 0;
    if (write.token < before)
      return `${space}: a write with token ${write.token} was taken after one with ${before}`;
  }
  return undefined;
}

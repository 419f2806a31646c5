import type { History, RecordAccess } from '../history.js';

/**
 * A versioned record is linearizable exactly when its versions fit the order in time: a version is given to one write
 * at most, whoever starts after another ended sees at least what that one saw or wrote, and nobody sees a version that
 * no write tried to make.
 */
export function recordsAreLinearizable({ records }: History): string | undefined {
  for (const space of new Set(records.map((access) => access.space))) {
    const problem = judge(records.filter((access) => access.space === space));
    if (problem !== undefined) return `record of ${space}: ${problem}`;
  }
  return undefined;
}

function judge(history: readonly RecordAccess[]): string | undefined {
  const known = history.filter(({ version }) => version !== undefined);
  const taken = new Set<number>();
  for (const { kind, version } of known) {
    if (kind !== 'write') continue;
    if (taken.has(version!)) return `two writes were told that they made version ${version}`;
    taken.add(version!);
  }
  // By the end of what was known, the highest version so far; then each start is held against what had ended before.
  const ended = [...known].sort((a, b) => a.endedAt - b.endedAt);
  let at = 0;
  let highest = 0;
  for (const access of [...known].sort((a, b) => a.startedAt - b.startedAt)) {
    for (; at < ended.length && ended[at]!.endedAt < access.startedAt; at++)
      highest = Math.max(highest, ended[at]!.version!);
    const least = access.kind === 'write' ? highest + 1 : highest;
    if (access.version! < least)
      return `a ${access.kind} from ${access.startedAt} to ${access.endedAt} ms got version ${access.version}, after version ${highest} was known`;
  }
  return fromNowhere(history, ended);
}

/** A version above the number of writes that had begun when it was seen. */
function fromNowhere(history: readonly RecordAccess[], ended: readonly RecordAccess[]): string | undefined {
  const begun = history.filter(({ kind }) => kind === 'write').map(({ startedAt }) => startedAt);
  begun.sort((a, b) => a - b);
  let tried = 0;
  for (const { version, endedAt } of ended) {
    while (tried < begun.length && begun[tried]! <= endedAt) tried++;
    if (version! > tried) return `version ${version} after only ${tried} writes`;
  }
  return undefined;
}

import type { ChangeJson, StatusJson } from '../admin/index.js';
import { ranges } from './format.js';

/** What `status` and `doctor` say in words of the same numbers. */

export const list = (names: readonly (string | number)[]): string =>
  names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)!}`;
export const replicas = (ids: readonly number[]): string =>
  `${ids.length === 1 ? 'replica' : 'replicas'} ${list(ids.toSorted((a, b) => a - b))}`;
export const shardsText = (numbers: readonly number[]): string =>
  `${numbers.length === 1 ? 'shard' : 'shards'} ${ranges(numbers)}`;

/** `replica 1 leads shards 0,3,6; replica 2 leads shards 1,4,7`. Nobody's last. */
export function leadersText({ shards: all }: Pick<StatusJson, 'shards'>): string {
  const led = new Map<number | null, number[]>();
  for (const { shard, leader } of all) led.set(leader, [...(led.get(leader) ?? []), shard]);
  const known = [...led].flatMap(([leader, numbers]) => (leader === null ? [] : [{ leader, numbers }]));
  const nobodys = led.get(null);
  return [
    ...known
      .toSorted((a, b) => a.leader - b.leader)
      .map(({ leader, numbers }) => `replica ${leader} leads ${shardsText(numbers)}`),
    ...(nobodys === undefined ? [] : [`NOBODY leads ${shardsText(nobodys)}`]),
  ].join('; ');
}

/** Who may fail, from how many votes there are now. */
export function reserveText({
  failuresTolerated: left,
  needed,
}: Pick<StatusJson, 'failuresTolerated' | 'needed'>): string {
  if (left < 0) return 'no quorum: nothing is taken until more replicas vote';
  if (left > 0) return left === 1 ? 'any one replica may fail' : `any ${left} replicas may fail`;
  if (needed.length === 1) return `none: without replica ${needed[0]!} the cluster stops`;
  return `none: the cluster stops when one of ${replicas(needed)} fails`;
}

/** `replica 3 by 1,200 entries (shards 1-2)`, of the shards that are led at the replicas that said this. */
export function behindText(lags: readonly Lag[]): string {
  return lags
    .map(({ id, slots, shards: of }) => `replica ${id} by ${count(slots)} entries (${shardsText(of)})`)
    .join('; ');
}

export interface Lag {
  readonly id: number;
  /** Of the shard where it is furthest behind. */
  readonly slots: number;
  readonly shards: readonly number[];
}

/** Who is further behind its leaders than this. */
export function lagging(statuses: readonly Pick<StatusJson, 'shards'>[], slotsMin: number): readonly Lag[] {
  const lags = new Map<number, { slots: number; shards: number[] }>();
  for (const { shard, behind } of statuses.flatMap((status) => status.shards))
    for (const { id, slots } of behind) {
      if (slots <= slotsMin) continue;
      const lag = lags.get(id) ?? { slots: 0, shards: [] };
      lags.set(id, { slots: Math.max(lag.slots, slots), shards: [...lag.shards, shard] });
    }
  return [...lags].map(([id, lag]) => ({ id, ...lag })).toSorted((a, b) => a.id - b.id);
}

export const clockText = (aheadMs: number): string =>
  `${(Math.abs(aheadMs) / 1_000).toFixed(1)} s ${aheadMs > 0 ? 'ahead of' : 'behind'} the time of the cluster`;

/** 1234567 -> 1,234,567 */
const count = (value: number): string => value.toLocaleString('en-US');

/** 5242880 -> 5 MiB */
export function bytesText(bytes: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];
  let unit = 0;
  let value = bytes;
  while (value >= 1_024 && unit < units.length - 1) {
    value /= 1_024;
    unit++;
  }
  return `${value >= 10 || Number.isInteger(value) ? Math.round(value) : value.toFixed(1)} ${units[unit]!}`;
}

/** `change 7 of the replicas (add 4) is preparing: 5 of 8 shards are ready; it waits: replica 4 has not caught up` */
export function changeText({ number, what, phase, since, ready, sealed, shards, waits }: ChangeJson): string {
  const done =
    phase === 'preparing'
      ? `${ready} of ${shards} shards are ready`
      : `${sealed} of ${shards} shards have sealed`;
  const waiting = waits.length === 0 ? '' : `; it waits: ${waits.join('; ')}`;
  const begun = typeof since !== 'string' ? '' : ` since ${since}`;
  return `change ${number} of the replicas (${what}) is ${phase}${begun}: ${done}${waiting}`;
}

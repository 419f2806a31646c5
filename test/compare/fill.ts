import { encodeAssignment, encodeSubscription } from '../harness/consumer-protocol.js';
import type { Place } from './sequence.js';

/** What a run knows, by the names of the sequence. */
export interface Known {
  group(name: string): string;
  memberId(client: string, back: number): string;
  generation(client: string, plus: number): number;
  leads(client: string): boolean;
  topicId(name: string): string;
}

/** A body with every place filled. */
export function filled(value: unknown, known: Known): unknown {
  if (Array.isArray(value)) return value.map((item) => filled(item, known));
  if (typeof value !== 'object' || value === null) return value;
  const [key] = Object.keys(value);
  if (key?.startsWith('$') === true) return place(value as Place, known);
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, filled(item, known)]));
}

function place(value: Place, known: Known): unknown {
  if ('$group' in value) return known.group(value.$group);
  if ('$id' in value) return known.memberId(value.$id, value.back ?? 0);
  if ('$generation' in value) return known.generation(value.$generation, value.plus);
  if ('$topicId' in value) return known.topicId(value.$topicId);
  if ('$int64' in value) return BigInt(value.$int64);
  if ('$long' in value) return value.$long.repeat(value.times);
  if ('$bytes' in value) return Buffer.from(value.$bytes, 'base64');
  if ('$subscription' in value) return encodeSubscription(value.$subscription);
  if ('$assignment' in value) return encodeAssignment(value.$assignment);
  return known.leads(value.$ifLeader) ? filled(value.then, known) : [];
}

/** The names of the groups that a body speaks of. */
export function groupsIn(value: unknown): readonly string[] {
  if (typeof value !== 'object' || value === null) return [];
  if ('$group' in value) return [value.$group as string];
  return Object.values(value).flatMap((item) => [...groupsIn(item)]);
}

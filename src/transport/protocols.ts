/** The versions of the replicas' protocol that a build speaks, both ends included. */
export interface ProtocolRange {
  readonly min: number;
  readonly max: number;
}

/**
 * What this build speaks. A new version raises `max`; `min` follows when no release that is still upgraded from speaks the
 * older one only.
 */
export const PROTOCOLS: ProtocolRange = { min: 1, max: 1 };

/** The highest version that both speak; undefined when there is none. */
export function commonProtocol(one: ProtocolRange, other: ProtocolRange): number | undefined {
  const highest = Math.min(one.max, other.max);
  return highest >= Math.max(one.min, other.min) ? highest : undefined;
}

export function isProtocolRange(value: unknown): value is ProtocolRange {
  if (typeof value !== 'object' || value === null) return false;
  const { min, max } = value as Record<string, unknown>;
  return [min, max].every(Number.isSafeInteger) && (min as number) <= (max as number);
}

/** `version 1`, `versions 1 to 3`. */
export const protocolsText = ({ min, max }: ProtocolRange): string =>
  min === max ? `version ${min}` : `versions ${min} to ${max}`;

import { hostname } from 'node:os';

/** The ports of an entry that is given as a host name alone. */
const PORTS = { peerPort: 9192, kafkaPort: 9092, httpPort: 8080 } as const;

/** The number at the end of the first label of a host name, as a StatefulSet counts: quorate-2.quorate is 2. */
export function ordinalOf(host: string): number | undefined {
  const found = /^[^.]*-([0-9]{1,9})(?:\.|$)/.exec(host)?.[1];
  return found === undefined ? undefined : Number(found);
}

/** QUORATE_REPLICA_ID: a number, or `hostname` for the number at the end of this machine's name. */
export function replicaIdFromText(text: string): unknown {
  if (text === 'hostname') return ordinalOf(hostname()) ?? text;
  return /^[0-9]+$/.test(text) ? Number(text) : text;
}

/**
 * QUORATE_REPLICAS: JSON, or host names with commas between them. Each may say its id (`1@10.0.0.1`); without one the
 * id is the number at the end of the name. IPv6 literals may have their brackets. Text that is neither is passed on, and refused as it is.
 */
export function replicasFromText(text: string): unknown {
  if (text.trimStart().startsWith('[')) {
    try {
      return JSON.parse(text);
    } catch {
      return text;
    }
  }
  const entries: object[] = [];
  for (const part of text.split(',').map((each) => each.trim())) {
    const [, given, bracketed, plain] =
      /^(?:([0-9]{1,10})@)?(?:\[([^\]\s]+)\]|([^@\s[\]]+))$/.exec(part) ?? [];
    const host = bracketed ?? plain;
    const id = given === undefined ? ordinalOf(host ?? '') : Number(given);
    if (host === undefined || id === undefined) return text;
    entries.push({ id, host, ...PORTS });
  }
  return entries;
}

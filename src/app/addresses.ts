import type { AddressesJson } from '../admin/index.js';
import type { ReplicaEntry, Settings } from './settings.js';
import { anyFreePort } from './tcp-port.js';

export const ownEntry = (settings: Settings): ReplicaEntry =>
  settings.replicas.find(({ id }) => id === settings.replicaId)!;

/** Where clients reach the Kafka listener of a replica. */
export const kafkaAddress = ({
  host,
  kafkaHost,
  kafkaPort,
}: ReplicaEntry): { host: string; port: number } => ({
  host: kafkaHost ?? host,
  port: kafkaPort,
});

/** Where clients reach the HTTP side of a replica; undefined while its port is not known. */
export function httpUrl(
  { host, httpUrl: advertised }: ReplicaEntry,
  port: number | undefined,
): string | undefined {
  if (advertised !== undefined) return advertised.replace(/\/+$/, '');
  return port === undefined ? undefined : `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** Where this replica's Kafka listener binds. */
export function kafkaListener(settings: Settings): { host: string; port: number } {
  const own = ownEntry(settings);
  return {
    host: settings.kafkaListenHost ?? kafkaAddress(own).host,
    port: settings.kafkaListenPort ?? own.kafkaPort,
  };
}

/** Where this replica is reached, after `withPortsChosen`. */
export function addressesOf(settings: Settings): AddressesJson {
  const own = ownEntry(settings);
  const kafka = kafkaAddress(own);
  return {
    kafka: `${kafka.host}:${kafka.port}`,
    http: httpUrl(own, own.httpPort) ?? null,
    peers: `${own.host}:${own.peerPort}`,
  };
}

/**
 * The same settings with a free port for each port 0 of this replica. Peers learn the ports for Kafka and HTTP with the first
 * message of a link; that the peer port is not 0 where a peer calls it is checked with the settings.
 * `http` says what becomes of an HTTP port 0: `left out` where the caller's own application listens.
 */
export async function withPortsChosen(
  settings: Settings,
  http: 'chosen' | 'left out' = 'chosen',
): Promise<Settings> {
  const own = ownEntry(settings);
  const taken = new Set<number>();
  const choose = async (port: number, host: string): Promise<number> => {
    let chosen = port;
    while (chosen === 0 || taken.has(chosen)) chosen = await anyFreePort(host);
    taken.add(chosen);
    return chosen;
  };
  const kafkaPort = await choose(own.kafkaPort, kafkaListener(settings).host);
  const peerPort = await choose(own.peerPort, settings.peerListenHost ?? own.host);
  const { httpPort: asked, ...entry } = own;
  const httpPort =
    asked === undefined || (asked === 0 && http === 'left out')
      ? undefined
      : await choose(asked, settings.httpListenHost ?? own.host);
  const chosen = { ...entry, kafkaPort, peerPort, ...(httpPort === undefined ? {} : { httpPort }) };
  return { ...settings, replicas: settings.replicas.map((each) => (each.id === own.id ? chosen : each)) };
}

import type { AddressesJson } from '../admin/index.js';
import { type Address, addressOf, addressText } from '../kernel/index.js';
import type { ListenerEntry, ReplicaEntry, Settings } from './settings.js';
import { anyFreePort } from './tcp-port.js';

export const ownEntry = (settings: Settings): ReplicaEntry =>
  settings.replicas.find(({ id }) => id === settings.replicaId)!;

/** Where clients reach the Kafka listener of a replica. */
export const kafkaAddress = ({ host, kafkaHost, kafkaPort }: ReplicaEntry): Address => ({
  host: kafkaHost ?? host,
  port: kafkaPort,
});

/** Where the HTTP side of a replica is, where the settings name its port. */
export const httpAddress = ({ host, httpPort }: ReplicaEntry): Address | undefined =>
  httpPort === undefined || httpPort === 0 ? undefined : { host, port: httpPort };

/** Where clients reach the HTTP side of a replica; undefined while its port is not known. */
export function httpUrl(
  { host, httpUrl: advertised }: ReplicaEntry,
  port: number | undefined,
): string | undefined {
  if (advertised !== undefined) return withoutEnd(advertised);
  return port === undefined ? undefined : `http://${addressText({ host, port })}`;
}
const withoutEnd = (url: string): string => url.replace(/\/+$/, '');

/** Where this replica's Kafka listener binds. */
export function kafkaListener(settings: Settings): Address {
  const own = ownEntry(settings);
  return {
    host: settings.kafkaListenHost ?? kafkaAddress(own).host,
    port: settings.kafkaListenPort ?? own.kafkaPort,
  };
}

/** Where a further listener binds for Kafka clients. */
export const kafkaListenerOf = (settings: Settings, { kafkaListenPort }: ListenerEntry): Address => ({
  host: kafkaListener(settings).host,
  port: kafkaListenPort,
});

/** Where further listeners bind for HTTP clients. */
export function httpListeners(settings: Settings): readonly Address[] {
  const host = settings.httpListenHost ?? ownEntry(settings).host;
  return settings.listeners.flatMap(({ httpListenPort: port }) =>
    port === undefined ? [] : [{ host, port }],
  );
}

/** What clients of a further listener are told, by replica id. */
export function kafkaAddressesOf(
  { replicas }: Settings,
  { kafka }: ListenerEntry,
): ReadonlyMap<number, Address> {
  return new Map(replicas.map(({ id }, index) => [id, addressOf(kafka[index]!)]));
}

/** The same for HTTP; undefined when no further listener has the port. */
export function httpUrlsAt(
  { replicas, listeners }: Settings,
  port: number | undefined,
): ReadonlyMap<number, string> | undefined {
  const http = listeners.find(
    ({ httpListenPort }) => httpListenPort !== undefined && httpListenPort === port,
  )?.http;
  return http && new Map(replicas.map(({ id }, index) => [id, withoutEnd(http[index]!)]));
}

/** Where this replica is reached, after `withPortsChosen`. `through`: the port on which an HTTP client came. */
export function addressesOf(settings: Settings, through?: number): AddressesJson {
  const own = ownEntry(settings);
  const { id, host, httpPort, peerPort } = own;
  const listener = settings.listeners.find(
    ({ httpListenPort }) => through !== undefined && httpListenPort === through,
  );
  const kafka = listener === undefined ? kafkaAddress(own) : kafkaAddressesOf(settings, listener).get(id)!;
  return {
    kafka: addressText(kafka),
    http: httpUrlsAt(settings, through)?.get(id) ?? httpUrl(own, httpPort) ?? null,
    peers: addressText({ host, port: peerPort }),
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

/** Where something listens. An IPv6 address has no brackets here. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** `host:port`, or `[::1]:9092`. */
export const addressText = ({ host, port }: Address): string =>
  host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;

/** `host:port`, or `[::1]:9092`. Throws TypeError that says what a broker's address looks like. */
export function addressOf(text: string): Address {
  const found = /^(?:\[([^\]]+)\]|([^:/\s]+)):([0-9]{1,5})$/.exec(text.trim());
  const port = Number(found?.[3]);
  if (found === null || port < 1 || port > 65_535)
    throw new TypeError(`"${text}" is no address of a broker: give host:port, e.g. 127.0.0.1:9092`);
  return { host: (found[1] ?? found[2])!, port };
}

import { type Address, parseAddress } from '../test/harness/connection.js';

/** Another system that speaks Kafka's protocol, to be measured in the same run. */
export interface PeerOptions {
  readonly bootstrap: readonly Address[];
  /** Its processes, for their CPU time; empty when they are not on this machine. */
  readonly pids: readonly number[];
  /** Load on both before anything is measured: a JVM needs minutes. */
  readonly warmMinutes: number;
  readonly rounds: number;
}

/** Flags of `npm run bench` for `parseArgs`. */
export const PEER_FLAGS = {
  kafka: { type: 'string' },
  'kafka-pids': { type: 'string', default: '' },
  warm: { type: 'string', default: '5' },
  rounds: { type: 'string', default: '5' },
} as const;

interface PeerFlags {
  readonly kafka?: string | undefined;
  readonly 'kafka-pids': string;
  readonly warm: string;
  readonly rounds: string;
}

/** Undefined when no other system is named; a text says what is wrong with a flag. */
export function peerOptions(flags: PeerFlags): PeerOptions | string | undefined {
  if (flags.kafka === undefined) return undefined;
  const bootstrap = flags.kafka.split(',').map(parseAddress);
  if (bootstrap.some(({ host, port }) => host === '' || !(Number.isInteger(port) && port > 0)))
    return `--kafka ${flags.kafka}: addresses look like 127.0.0.1:9092,127.0.0.1:9093`;
  const pids = flags['kafka-pids'].split(',').filter((pid) => pid !== '');
  if (pids.some((pid) => !/^\d+$/.test(pid)))
    return `--kafka-pids ${flags['kafka-pids']}: process ids look like 101,102,103`;
  const warmMinutes = Number(flags.warm);
  if (!(warmMinutes >= 0)) return `--warm ${flags.warm}: a number of minutes`;
  const rounds = Number(flags.rounds);
  if (!(Number.isInteger(rounds) && rounds > 0)) return `--rounds ${flags.rounds}: a whole number from 1 on`;
  return { bootstrap, pids: pids.map(Number), warmMinutes, rounds };
}

import { randomBytes, randomInt } from 'node:crypto';
import { addressText } from '../../../kernel/index.js';

const INSIDE = { peerPort: 9192, kafkaPort: 9092, httpPort: 8080 } as const;
/** Bound for clients from outside of the container network. */
export const OUTSIDE_LISTEN = { kafkaPort: 9094, httpPort: 8081 } as const;
/** Below the range from which kernels take the source ports of outgoing connections. */
const PORTS = [20_000, 32_000] as const;

/** One replica, as its container is to be made. */
export interface ReplicaPlan {
  readonly id: number;
  /** Where clients in the network reach it. */
  readonly host: string;
  /** Where the other replicas reach it. */
  readonly peerHost: string;
  readonly environment: Readonly<Record<string, string>>;
  /** What clients in the network are told. */
  readonly inside: { readonly kafka: string; readonly http: string };
  /** What other clients are told: ports of `engineHost`. */
  readonly outside: {
    readonly kafka: string;
    readonly http: string;
    readonly kafkaPort: number;
    readonly httpPort: number;
  };
}

/** Replicas 1 to `count`. `engineHost`: where mapped ports are reached. */
export function plansOf(
  count: number,
  engineHost: string,
  environment: Readonly<Record<string, string>>,
): readonly ReplicaPlan[] {
  const ports = randomPorts(count * 2);
  const plans = Array.from({ length: count }, (_, index) => {
    const id = index + 1;
    const host = `quorate-${id}`;
    const [kafkaPort, httpPort] = [ports[2 * index]!, ports[2 * index + 1]!];
    return {
      id,
      host,
      peerHost: `${host}-peer`,
      inside: { kafka: addressText({ host, port: INSIDE.kafkaPort }), http: urlOf(host, INSIDE.httpPort) },
      outside: {
        kafkaPort,
        httpPort,
        kafka: addressText({ host: engineHost, port: kafkaPort }),
        http: urlOf(engineHost, httpPort),
      },
    };
  });
  const replicas = plans.map(({ id, host, peerHost, inside }) => ({
    id,
    host: peerHost,
    kafkaHost: host,
    httpUrl: inside.http,
    ...INSIDE,
  }));
  const outside = {
    name: 'outside',
    kafkaListenPort: OUTSIDE_LISTEN.kafkaPort,
    kafka: plans.map((plan) => plan.outside.kafka),
    httpListenPort: OUTSIDE_LISTEN.httpPort,
    http: plans.map((plan) => plan.outside.http),
  };
  const common = {
    QUORATE_LOG_FORMAT: 'line',
    ...environment,
    QUORATE_CLUSTER_ID: randomBytes(11).toString('hex'),
    QUORATE_REPLICAS: JSON.stringify(replicas),
    QUORATE_LISTENERS: JSON.stringify([outside]),
  };
  return plans.map((plan) => ({ ...plan, environment: { ...common, QUORATE_REPLICA_ID: String(plan.id) } }));
}

const urlOf = (host: string, port: number): string => `http://${addressText({ host, port })}`;

function randomPorts(count: number): readonly number[] {
  const ports = new Set<number>();
  while (ports.size < count) ports.add(randomInt(...PORTS));
  return [...ports];
}

import { afterEach } from '@jest/globals';
import { type ReplicaId, replicaId } from '../../../src/kernel/index.js';
import type { Hello, Transport } from '../../../src/replica/index.js';
import { createTcpTransport, type TcpTransportOptions } from '../../../src/transport/index.js';
import { freePorts } from '../../harness/tcp-ports.js';
import { eventually } from '../../harness/waiting.js';
import { HELLO, rawIntroduction, RawListener, RawPeer, Wire } from './raw-peer.js';
import { logTo } from '../../harness/lines.js';

const CLUSTER = 'Zm9vYmFyLWNsdXN0ZXIwMQ';

export const helloOf = (id: number, overrides: Partial<Hello> = {}): Hello => ({
  clusterId: CLUSTER,
  replicaId: replicaId(id),
  shards: 8,
  incarnation: `disk-of-${id}`,
  formedWith: {},
  kafka: { host: '127.0.0.1', port: 9090 + id },
  http: undefined,
  ...overrides,
});

/** How a test's own end introduces itself. */
export const introductionOf = (self: number, target: number, overrides: Partial<Hello> = {}): Buffer =>
  rawIntroduction({ self, target, json: JSON.stringify(helloOf(self, overrides)) });

type Event =
  | { readonly kind: 'up'; readonly peer: ReplicaId; readonly hello: Hello }
  | { readonly kind: 'down'; readonly peer: ReplicaId; readonly reason: string }
  | { readonly kind: 'died'; readonly peer: ReplicaId };

/** A transport, and all that it told its replica. */
export class TestReplica {
  readonly events: Event[] = [];
  readonly messages: Buffer[] = [];
  readonly refused: ReplicaId[] = [];
  readonly log: string[] = [];
  onMessage: (peer: ReplicaId, message: Buffer) => void = (_, message) => this.messages.push(message);
  hello: Hello;
  readonly transport: Transport;

  constructor(hello: Hello, options: Omit<TcpTransportOptions, 'self' | 'log'>) {
    this.hello = hello;
    this.transport = createTcpTransport({
      reconnectMs: 5,
      reconnectMsMax: 20,
      // Only where a test asks for it.
      askAfterMs: 3_600_000,
      ...options,
      self: hello.replicaId,
      log: logTo((level, line) => this.log.push(`${level}: ${line}`)),
    });
  }

  start(): Promise<void> {
    return this.transport.start(() => this.hello, {
      onUp: (peer, hello) => this.events.push({ kind: 'up', peer, hello }),
      onDown: (peer, reason) => this.events.push({ kind: 'down', peer, reason }),
      onDied: (peer) => this.events.push({ kind: 'died', peer }),
      onRefused: ({ replicaId: peer }) => this.refused.push(peer),
      onMessage: (peer, message) => this.onMessage(peer, Buffer.from(message)),
      refuses: () => undefined,
    });
  }

  count(kind: Event['kind']): number {
    return this.events.filter((event) => event.kind === kind).length;
  }
  get downs(): string[] {
    return this.events.flatMap((event) => (event.kind === 'down' ? [event.reason] : []));
  }
  get isUp(): boolean {
    return this.events.at(-1)?.kind === 'up';
  }
  up(times = 1): Promise<true> {
    return eventually(`up ${times} times`, 30_000, () => this.isUp && this.count('up') >= times, 1);
  }
  logged(text: string): Promise<string> {
    return eventually(`a line with "${text}"`, 30_000, () => this.log.find((line) => line.includes(text)), 1);
  }
  send(to: number, message: Uint8Array | string, urgency: Parameters<Transport['send']>[2] = 'normal') {
    return this.transport.send(replicaId(to), Buffer.from(message), urgency);
  }
}

type Options = Partial<Omit<TcpTransportOptions, 'self' | 'log'>>;
const HOST = '127.0.0.1';
const peersAt = (...ports: readonly (readonly [number, number])[]) =>
  ports.map(([id, port]) => ({ id: replicaId(id), host: HOST, port }));

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});
export function closedAfterwards<T extends { close(): Promise<void> }>(thing: T): T {
  closing.push(() => thing.close());
  return thing;
}

async function replica(hello: Hello, options: Omit<TcpTransportOptions, 'self' | 'log'>) {
  const made = new TestReplica(hello, options);
  closedAfterwards(made.transport);
  await made.start();
  return made;
}

export interface PairOptions {
  /** Of replica 1, which is called, and of replica 2, which calls. */
  readonly called?: Options;
  readonly caller?: Options;
  readonly hellos?: readonly [Hello, Hello];
}

/** Two replicas with a wire between them that the test can touch. */
export async function pair({ called, caller, hellos = [helloOf(1), helloOf(2)] }: PairOptions = {}) {
  const [first, second, between] = (await freePorts(3)) as [number, number, number];
  const wire = closedAfterwards(await Wire.open(between, first));
  const one = new TestReplica(hellos[0], {
    listen: { host: HOST, port: first },
    peers: peersAt([2, second]),
    ...called,
  });
  const two = new TestReplica(hellos[1], {
    listen: { host: HOST, port: second },
    peers: peersAt([1, between]),
    ...caller,
  });
  for (const each of [one, two]) closedAfterwards(each.transport);
  await Promise.all([one.start(), two.start()]);
  return { one, two, wire };
}

export async function linkedPair(options: PairOptions = {}) {
  const linked = await pair(options);
  await Promise.all([linked.one.up(), linked.two.up()]);
  return linked;
}

/** Two replicas that are linked, with nothing between them. */
export async function directPair() {
  const ports = (await freePorts(2)) as [number, number];
  const [one, two] = await Promise.all([
    replica(helloOf(1), { listen: { host: HOST, port: ports[0] }, peers: peersAt([2, ports[1]]) }),
    replica(helloOf(2), { listen: { host: HOST, port: ports[1] }, peers: peersAt([1, ports[0]]) }),
  ]);
  await Promise.all([one.up(), two.up()]);
  return { one, two, ports };
}

/** Replica 1, and a way for the test to call it as replica 2. */
export async function calledReplica(options: Options = {}) {
  const [port, nobody] = (await freePorts(2)) as [number, number];
  const one = await replica(helloOf(1), {
    listen: { host: HOST, port },
    peers: peersAt([2, nobody]),
    ...options,
  });
  const call = async (introduction: Buffer | undefined = introductionOf(2, 1)): Promise<RawPeer> => {
    const peer = await RawPeer.call(port);
    closing.push(() => Promise.resolve(void peer.socket.destroy()));
    if (introduction.length > 0) peer.send(HELLO, introduction);
    return peer;
  };
  return { one, call, port };
}

/** Replica 2, and the test in the place of replica 1, which it calls. */
export async function callingReplica(
  options: Options = {},
  onCall: (peer: RawPeer) => void = () => undefined,
) {
  const [port, first] = (await freePorts(2)) as [number, number];
  const listener = closedAfterwards(await RawListener.open(first, onCall));
  const two = await replica(helloOf(2), {
    listen: { host: HOST, port },
    peers: peersAt([1, first]),
    ...options,
  });
  return { two, listener, port };
}

import { afterEach } from '@jest/globals';
import { type Broker, type BrokerSettings, createBroker } from '../../../src/broker/index.js';
import { unwatched, type Work } from '../../../src/kernel/index.js';
import { TestClient } from './client.js';
import { FakeClock } from './fake-clock.js';
import { FakeCoordinator } from './fake-coordinator.js';
import { logTo } from '../../harness/lines.js';

export interface Bench {
  readonly broker: Broker;
  readonly coordinator: FakeCoordinator;
  readonly clock: FakeClock;
  readonly port: number;
  readonly log: string[];
  readonly client: () => Promise<TestClient>;
}

const open: { broker: Broker; clients: TestClient[] }[] = [];
afterEach(async () => {
  for (const { broker, clients } of open.splice(0)) {
    for (const client of clients) await client.close();
    await broker.stop();
  }
});

/** A broker over a fake replica, on a real port, gone when the test ends. */
export async function bench(settings: Partial<BrokerSettings> = {}, work: Work = unwatched): Promise<Bench> {
  const clock = new FakeClock();
  const coordinator = new FakeCoordinator(clock);
  const log: string[] = [];
  const broker = createBroker({
    host: '127.0.0.1',
    port: 0,
    coordinator,
    clock,
    work,
    settings: { stopGraceMs: 0, membersMoveMs: 0, ...settings },
    log: logTo((_level, line) => log.push(line)),
  });
  const { port } = await broker.start();
  const clients: TestClient[] = [];
  open.push({ broker, clients });
  return {
    broker,
    coordinator,
    clock,
    port,
    log,
    client: async () => {
      const client = await TestClient.open(port);
      clients.push(client);
      return client;
    },
  };
}

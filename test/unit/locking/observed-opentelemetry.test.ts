import { afterEach, describe, expect, it } from '@jest/globals';
import { metrics } from '@opentelemetry/api';
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import { MemoryStore, observed, Records, RetryOnConflict } from '../../../src/locking/index.js';

interface Account {
  readonly balance: number;
}

class Bank {
  readonly accounts: Records<Account>;
  constructor(readonly memory: MemoryStore) {
    this.accounts = new Records(observed(memory), 'accounts');
  }

  /** Somebody else is faster the first time. */
  @RetryOnConflict({ backoffMs: 0 })
  async deposit(id: string, amount: number): Promise<number> {
    const account = await this.accounts.read(id);
    if (account.version === 1) await new Records<Account>(this.memory, 'accounts').touch(account);
    return this.accounts.update(account, { balance: account.value.balance + amount });
  }
}

afterEach(() => metrics.disable());

describe("OpenTelemetry's SDK for metrics", () => {
  it('is told of writes, conflicts, fenced writes and retries', async () => {
    const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
    const reader = new PeriodicExportingMetricReader({ exporter });
    const provider = new MeterProvider({ readers: [reader] });
    metrics.setGlobalMeterProvider(provider);

    const bank = new Bank(new MemoryStore());
    await bank.accounts.insert('a', { balance: 1 });
    await bank.deposit('a', 5);
    await bank.memory.seal({ scope: 's', token: 9n });
    await bank.accounts.tryTouch({ id: 'a', version: 3 }, { fence: { scope: 's', token: 8n } });

    await reader.forceFlush();
    const [scope] = exporter.getMetrics().at(-1)!.scopeMetrics;
    expect(scope!.scope.name).toBe('quorate.locking');
    const counted = scope!.metrics.map(({ descriptor, dataPoints }) => [
      descriptor.name,
      dataPoints.map(({ value, attributes }) => ({ value, ...attributes })),
    ]);
    const of = { store: 'memory', resource: 'accounts' };
    expect(Object.fromEntries(counted)).toEqual({
      'quorate.locking.writes': [{ value: 4, ...of }],
      'quorate.locking.conflicts': [{ value: 1, ...of }],
      'quorate.locking.fenced_writes': [{ value: 1, ...of }],
      'quorate.locking.retries': [{ value: 1, reason: 'version-conflict' }],
    });
    await provider.shutdown();
  });
});

import 'reflect-metadata';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Injectable, Module, type ModuleMetadata } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { MemoryStore, type Records, type RecordStore } from '../../../src/locking/index.js';
import {
  getHealthIndicatorToken,
  getRecordsToken,
  InjectHealthIndicator,
  InjectRecords,
  LockingHealthIndicator,
  LockingModule,
} from '../../../src/locking/nest/index.js';

interface Account {
  readonly balance: number;
}

const open: TestingModule[] = [];
afterEach(async () => {
  for (const module of open.splice(0)) await module.close();
});
async function compiled(metadata: ModuleMetadata): Promise<TestingModule> {
  const module = await Test.createTestingModule(metadata).compile();
  open.push(module);
  return module;
}

const named = (name: string): RecordStore => Object.assign(new MemoryStore(), { name });

describe('stores beside each other', () => {
  @Injectable()
  class Health {
    constructor(
      readonly main: LockingHealthIndicator,
      @InjectHealthIndicator('audit') readonly audit: LockingHealthIndicator,
    ) {}
  }

  const main = LockingModule.forRoot({ store: named('main') });
  const audit = LockingModule.forRoot({ name: 'audit', store: named('audit') });
  it.each([
    ['the one without a name first', [main, audit]],
    ['the one without a name last', [audit, main]],
  ])('have an indicator each: %s', async (_order, imports) => {
    const module = await compiled({ imports, providers: [Health] });
    const health = module.get(Health);
    expect(await health.main.isHealthy()).toMatchObject({ locking: { store: 'main' } });
    expect(await health.audit.isHealthy()).toMatchObject({ locking: { store: 'audit' } });
    expect(module.get(getHealthIndicatorToken('audit'), { strict: false })).toBe(health.audit);
  });
});

describe('a store that is not global', () => {
  const root = LockingModule.forRoot({ store: new MemoryStore(), isGlobal: false });

  it('gives records to the modules that name where it comes from', async () => {
    @Injectable()
    class Bank {
      constructor(@InjectRecords('accounts') readonly accounts: Records<Account>) {}
    }
    @Module({
      imports: [LockingModule.forFeature(['accounts'], { from: root })],
      providers: [Bank],
      exports: [Bank],
    })
    class BankModule {}
    const module = await compiled({ imports: [root, BankModule] });
    expect(await module.get(Bank, { strict: false }).accounts.insert('a', { balance: 1 })).toBe(1);
  });

  it('gives them to no others', async () => {
    const alone = compiled({ imports: [root, LockingModule.forFeature(['accounts'])] });
    await expect(alone).rejects.toThrow(getRecordsToken('accounts'));
  });
});

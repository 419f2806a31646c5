import 'reflect-metadata';
import { afterEach, describe, expect, it } from '@jest/globals';
import type { AddressInfo } from 'node:net';
import {
  Body,
  Controller,
  Delete,
  Get,
  HttpCode,
  type INestApplication,
  Injectable,
  Module,
  type ModuleMetadata,
  Param,
  Patch,
  Post,
  Put,
  UseInterceptors,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import {
  type LockingEvent,
  MemoryStore,
  OutcomeUnknownError,
  Records,
  type RecordStore,
  type VersionedRecord,
} from '../../../src/locking/index.js';
import {
  Fenced,
  getRecordsToken,
  getStoreToken,
  IfMatch,
  InjectRecords,
  InjectStore,
  LockingErrorsInterceptor,
  LockingEvents,
  LockingHealthIndicator,
  LockingModule,
  RetryOnConflict,
  Versioned,
} from '../../../src/locking/nest/index.js';

interface Account {
  readonly balance: number;
  readonly big?: bigint;
  readonly seal?: Uint8Array;
}

@Injectable()
class Bank {
  constructor(
    @InjectRecords('accounts') readonly accounts: Records<Account>,
    @InjectStore() readonly store: RecordStore,
  ) {}

  @RetryOnConflict({ backoffMs: 0 })
  async add(
    id: string,
    amount: number,
    beforeWrite = (): Promise<unknown> => Promise.resolve(),
  ): Promise<number> {
    const record = await this.accounts.read(id);
    await beforeWrite();
    return this.accounts.update(record, { balance: record.value.balance + amount });
  }

  @Fenced((_id: string, token: number) => ({ scope: 'bank/accounts/0', token: BigInt(token) }))
  async touchFor(id: string, _token: number): Promise<number> {
    return this.accounts.touch(await this.accounts.read(id));
  }
}

@Controller('accounts')
class AccountsController {
  constructor(readonly bank: Bank) {}

  @Get(':id')
  @Versioned()
  read(@Param('id') id: string): Promise<VersionedRecord<Account>> {
    return this.bank.accounts.read(id);
  }

  @Put(':id')
  @Versioned()
  async write(
    @Param('id') id: string,
    @IfMatch({ optional: true }) version: number | undefined,
    @Body() value: Account,
  ): Promise<{ version: number }> {
    if (version === undefined) return { version: await this.bank.accounts.insert(id, value) };
    return { version: await this.bank.accounts.update({ id, version }, value) };
  }

  @Patch(':id')
  async change(
    @Param('id') id: string,
    @IfMatch() version: number,
    @Body() changes: Partial<Account>,
  ): Promise<{ version: number }> {
    return { version: await this.bank.accounts.update({ id, version }, changes) };
  }

  @Delete(':id')
  @HttpCode(204)
  @Versioned()
  remove(@Param('id') id: string, @IfMatch() version: number): Promise<void> {
    return this.bank.accounts.delete({ id, version });
  }

  @Post(':id/add/:amount')
  @RetryOnConflict({ attempts: 2, backoffMs: 0 })
  async add(@Param('id') id: string, @Param('amount') amount: string): Promise<object> {
    return { version: await this.bank.add(id, Number(amount)) };
  }

  @Post(':id/based-on/:version')
  async conflict(@Param('id') id: string, @Param('version') version: string): Promise<number> {
    return this.bank.accounts.touch({ id, version: Number(version) });
  }

  @Post(':id/for/:token')
  touchFor(@Param('id') id: string, @Param('token') token: string): Promise<number> {
    return this.bank.touchFor(id, Number(token));
  }
}

@Controller('mapped')
@UseInterceptors(LockingErrorsInterceptor)
class MappedController {
  constructor(readonly bank: Bank) {}
  @Get(':id')
  read(@Param('id') id: string): Promise<VersionedRecord<Account>> {
    return this.bank.accounts.read(id);
  }
}

@Module({
  imports: [LockingModule.forFeature(['accounts'])],
  providers: [Bank],
  controllers: [AccountsController, MappedController],
  exports: [Bank],
})
class BankModule {}

const open: INestApplication[] = [];
afterEach(async () => {
  for (const app of open.splice(0)) await app.close();
});

async function start(
  imports: NonNullable<ModuleMetadata['imports']>,
): Promise<{ app: INestApplication; url: string }> {
  const app = await NestFactory.create({ module: class {}, imports }, { logger: false });
  open.push(app);
  await app.listen(0, '127.0.0.1');
  const { port } = (app.getHttpServer() as { address(): AddressInfo }).address();
  return { app, url: `http://127.0.0.1:${port}` };
}

/** Over a store in memory, with one account `a` at version 1. */
async function bank(): Promise<{
  app: INestApplication;
  memory: MemoryStore;
  ask: (method: string, path: string, headers?: Record<string, string>, body?: unknown) => Promise<Answer>;
}> {
  const memory = new MemoryStore();
  await new Records<Account>(memory, 'accounts').insert('a', {
    balance: 1,
    big: 2n ** 60n,
    seal: Uint8Array.of(1, 255),
  });
  const { app, url } = await start([LockingModule.forRoot({ store: memory }), BankModule]);
  const ask = async (method: string, path: string, headers = {}, body?: unknown): Promise<Answer> => {
    const answer = await fetch(url + path, {
      method,
      headers: { 'content-type': 'application/json', ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    return {
      status: answer.status,
      type: answer.headers.get('content-type'),
      etag: answer.headers.get('etag'),
      body: text === '' ? null : (JSON.parse(text) as unknown),
    };
  };
  return { app, memory, ask };
}
interface Answer {
  readonly status: number;
  readonly type: string | null;
  readonly etag: string | null;
  readonly body: unknown;
}

const problem = (status: number, code: string, members = {}): object => ({
  status,
  type: expect.stringMatching(/^application\/problem\+json/) as unknown,
  body: expect.objectContaining({ status, code, type: 'about:blank', ...members }) as unknown,
});

describe('a versioned resource over HTTP', () => {
  it('is read with its ETag, and not again while it is fresh', async () => {
    const { ask } = await bank();
    const answer = await ask('GET', '/accounts/a');
    const body = { balance: 1, big: String(2n ** 60n), seal: 'Af8=' };
    expect(answer).toMatchObject({ status: 200, etag: '"1"', body });
    expect(await ask('GET', '/accounts/a', { 'if-none-match': '"9", "1"' })).toMatchObject({
      status: 304,
      body: null,
    });
    expect(await ask('GET', '/accounts/a', { 'if-none-match': '"2"' })).toMatchObject({ status: 200 });
  });

  it('is changed on the version it had, and answers with the new one', async () => {
    const { ask } = await bank();
    expect(await ask('PUT', '/accounts/a', { 'if-match': '"1"' }, { balance: 7 })).toMatchObject({
      status: 200,
      etag: '"2"',
      body: { version: 2 },
    });
    expect((await ask('GET', '/accounts/a')).body).toMatchObject({ balance: 7 });
    // As a proxy that compresses gave it on.
    expect(await ask('PUT', '/accounts/a', { 'if-match': 'W/"2"' }, { balance: 8 })).toMatchObject({
      etag: '"3"',
    });
  });

  it('412 when somebody else changed it, with both versions', async () => {
    const { ask } = await bank();
    await ask('PUT', '/accounts/a', { 'if-match': '"1"' }, { balance: 7 });
    const late = await ask('PUT', '/accounts/a', { 'if-match': '"1"' }, { balance: 8 });
    const members = { resource: 'accounts', id: 'a', expected: 1, actual: 2 };
    expect(late).toMatchObject(problem(412, 'version-conflict', members));
    const foreign = await ask('PUT', '/accounts/a', { 'if-match': '"abc"' }, { balance: 8 });
    expect(foreign).toMatchObject(problem(412, 'version-conflict'));
  });

  it('428 when a change does not say what it is based on', async () => {
    const { ask } = await bank();
    const required = problem(428, 'precondition-required');
    expect(await ask('PUT', '/accounts/a', {}, { balance: 8 })).toMatchObject(required);
    expect(await ask('PATCH', '/accounts/a', {}, { balance: 8 })).toMatchObject(required);
    expect(await ask('DELETE', '/accounts/a')).toMatchObject(required);
    expect(await ask('DELETE', '/accounts/a', { 'if-match': '*' })).toMatchObject(required);
  });

  it('400 when If-Match is not one ETag', async () => {
    const { ask } = await bank();
    for (const header of ['1', '"1", "2"']) {
      const answer = await ask('PATCH', '/accounts/a', { 'if-match': header }, { balance: 8 });
      expect(answer).toMatchObject(problem(400, 'precondition-malformed'));
    }
  });

  it('404 when there is none, and 412 when one was to be made where there is one', async () => {
    const { ask } = await bank();
    expect(await ask('GET', '/accounts/none')).toMatchObject(
      problem(404, 'not-found', { resource: 'accounts', id: 'none' }),
    );
    const none = { 'if-none-match': '*' };
    expect(await ask('PUT', '/accounts/b', none, { balance: 1 })).toMatchObject({ status: 200, etag: '"1"' });
    expect(await ask('PUT', '/accounts/b', none, { balance: 1 })).toMatchObject(
      problem(412, 'already-exists', { actual: 1 }),
    );
    expect(await ask('DELETE', '/accounts/b', { 'if-match': '"1"' })).toMatchObject({ status: 204 });
    expect(await ask('DELETE', '/accounts/b', { 'if-match': '"1"' })).toMatchObject(
      problem(404, 'not-found'),
    );
  });
});

describe('errors of a store over HTTP, also where nothing is @Versioned', () => {
  it('409 for a conflict without a precondition', async () => {
    const { ask } = await bank();
    expect(await ask('POST', '/accounts/a/based-on/4')).toMatchObject(
      problem(409, 'version-conflict', { expected: 4, actual: 1 }),
    );
  });

  it('409 for a stale epoch, tokens as text', async () => {
    const { ask, memory } = await bank();
    await memory.seal({ scope: 'bank/accounts/0', token: 2n ** 60n });
    expect(await ask('POST', '/accounts/a/for/7')).toMatchObject(
      problem(409, 'stale-epoch', { scope: 'bank/accounts/0', token: '7', current: String(2n ** 60n) }),
    );
  });

  it('504 when it is not known whether a write happened', async () => {
    const { ask, memory } = await bank();
    memory.faults.afterWrite = () => {
      throw new Error('cut');
    };
    expect(await ask('POST', '/accounts/a/based-on/1')).toMatchObject(problem(504, 'outcome-unknown'));
  });

  it('as exceptions of Nest, where the interceptor makes them so', async () => {
    const { ask } = await bank();
    expect(await ask('GET', '/mapped/none')).toMatchObject(problem(404, 'not-found'));
  });
});

describe('services', () => {
  it('retry on conflict, also as handlers, whose routes stay', async () => {
    const { ask, app, memory } = await bank();
    expect(await ask('POST', '/accounts/a/add/5')).toMatchObject({ status: 201, body: { version: 2 } });
    const seen: LockingEvent[] = [];
    const watching = app.get(LockingEvents).events$.subscribe((event) => seen.push(event));
    let others = 2;
    const meanwhile = async (): Promise<unknown> => {
      const beside = new Records<Account>(memory, 'accounts');
      return others-- > 0 ? beside.touch(await beside.read('a')) : undefined;
    };
    expect(await app.get(Bank).add('a', 5, meanwhile)).toBe(5);
    watching.unsubscribe();
    expect(seen.map(({ kind }) => kind)).toEqual(['conflict', 'retry', 'conflict', 'retry']);
    expect((await app.get(Bank).accounts.read('a')).value.balance).toBe(11);
  });

  it('write under the fence of the method that runs', async () => {
    const { app } = await bank();
    await app.get(Bank).touchFor('a', 7);
    expect((await app.get(Bank).accounts.read('a')).fence).toBe(7n);
  });
});

describe('LockingModule', () => {
  it('takes its store from a factory, by name beside others', async () => {
    const [main, audit] = [new MemoryStore(), new MemoryStore()];
    const { app } = await start([
      LockingModule.forRootAsync({ useFactory: () => Promise.resolve({ store: main }) }),
      LockingModule.forRootAsync({ name: 'audit', useFactory: () => ({ store: audit }) }),
      LockingModule.forFeature(['accounts']),
      LockingModule.forFeature(['accounts', 'lines'], { store: 'audit' }),
    ]);
    const records = (token: string): Records<Account> => app.get<Records<Account>>(token, { strict: false });
    await records(getRecordsToken('accounts')).insert('a', { balance: 1 });
    await records(getRecordsToken('accounts', 'audit')).insert('a', { balance: 2 });
    await records(getRecordsToken('lines', 'audit')).insert('l', { balance: 3 });
    expect((await main.read('accounts', ['a']))[0]!.value).toEqual({ balance: 1 });
    expect((await audit.read('accounts', ['a']))[0]!.value).toEqual({ balance: 2 });
    expect(app.get<RecordStore>(getStoreToken('audit'), { strict: false }).name).toBe('memory');
  });

  it('gives tests a place to put another store', async () => {
    const store = new MemoryStore();
    const records = new Records<Account>(store, 'accounts');
    const testing = await Test.createTestingModule({
      imports: [LockingModule.forRoot({ store: new MemoryStore() }), BankModule],
    })
      .overrideProvider(getRecordsToken('accounts'))
      .useValue(records)
      .compile();
    await records.insert('a', { balance: 1 });
    expect(await testing.get(Bank).add('a', 1)).toBe(2);
    await testing.close();
  });

  it('can leave the answers to errors to the application', async () => {
    const store = new MemoryStore();
    const { url } = await start([LockingModule.forRoot({ store, mapErrors: false }), BankModule]);
    expect((await fetch(`${url}/accounts/a/based-on/1`, { method: 'POST' })).status).toBe(500);
    const mapped = await fetch(`${url}/mapped/none`);
    expect([mapped.status, mapped.headers.get('content-type')]).toEqual([
      404,
      'application/json; charset=utf-8',
    ]);
    expect(await mapped.json()).toMatchObject({ code: 'not-found', title: 'Not found' });
  });
});

describe('the health indicator', () => {
  it('is up when the store answers, and down when it fails or says nothing', async () => {
    const { app, memory } = await bank();
    const health = app.get(LockingHealthIndicator);
    expect(await health.isHealthy('records')).toEqual({
      records: { status: 'up', store: 'memory', latencyMs: expect.any(Number) as unknown },
    });
    memory.fenceOf = () => Promise.reject(new OutcomeUnknownError('x', undefined));
    expect(await health.isHealthy()).toMatchObject({ locking: { status: 'down', store: 'memory' } });
    memory.fenceOf = () => new Promise(() => undefined);
    expect(await health.isHealthy('slow', { timeoutMs: 20 })).toEqual({
      slow: { status: 'down', store: 'memory', message: 'no answer within 20 ms' },
    });
  });
});

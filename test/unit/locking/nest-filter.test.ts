import 'reflect-metadata';
import { describe, expect, it, jest } from '@jest/globals';
import { type ArgumentsHost, Injectable, Logger, UseFilters } from '@nestjs/common';
import { ExternalContextCreator } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import { firstValueFrom, type Observable } from 'rxjs';
import { StaleEpochError } from '../../../src/locking/index.js';
import { LockingExceptionFilter } from '../../../src/locking/nest/index.js';

const stale = new StaleEpochError('bank/accounts/0', 7n, 9n);

@Injectable()
class Resolver {
  @UseFilters(LockingExceptionFilter)
  deposit(): Promise<number> {
    return Promise.reject(stale);
  }
}

describe('the exception filter where there is no answer of HTTP to give', () => {
  it('lets a handler of GraphQL fail, which what it returns would not', async () => {
    const module = await Test.createTestingModule({ providers: [Resolver] }).compile();
    module.useLogger(false);
    const resolver = module.get(Resolver);
    const handler = module
      .get(ExternalContextCreator)
      .create(
        resolver,
        resolver.deposit.bind(resolver),
        'deposit',
        undefined,
        undefined,
        undefined,
        undefined,
        { guards: true, interceptors: true, filters: true },
        'graphql',
      );
    await expect(handler()).rejects.toBe(stale);
    await module.close();
  });

  it('gives a handler of messages an Observable that fails', async () => {
    const host = { getType: () => 'rpc' } as unknown as ArgumentsHost;
    const passed = new LockingExceptionFilter().catch(stale, host) as Observable<never>;
    await expect(firstValueFrom(passed)).rejects.toBe(stale);
  });

  it('tells the client of a web socket, as Nest does', () => {
    const told: unknown[] = [];
    const client = { emit: (...event: unknown[]) => told.push(event) };
    const host = { getType: () => 'ws', switchToWs: () => ({ getClient: () => client }) };
    new LockingExceptionFilter().catch(stale, host as unknown as ArgumentsHost);
    expect(told).toEqual([['exception', { status: 'error', message: stale.message }]]);
  });

  it.each([
    ['Express', (own: object) => own],
    ['Fastify', (own: object) => ({ raw: own })],
  ])('ends an answer that has begun, and says so in the log: %s', (_framework, answerOf) => {
    const logged = jest.spyOn(Logger.prototype, 'error').mockImplementation(() => undefined);
    const end = jest.fn();
    const host = {
      getType: () => 'http',
      switchToHttp: () => ({ getResponse: () => answerOf({ headersSent: true, end }) }),
    };
    new LockingExceptionFilter().catch(stale, host as unknown as ArgumentsHost);
    expect(end).toHaveBeenCalledTimes(1);
    expect(logged).toHaveBeenCalledWith(stale);
    logged.mockRestore();
  });
});

import { Logger } from '@nestjs/common';
import { ROUTE_ARGS_METADATA } from '@nestjs/common/constants.js';
import type { ExternalContextCreator } from '@nestjs/core';
import { isObservable, lastValueFrom } from 'rxjs';
import { isEnd } from '../handlers.js';
import type { Lease, LeaseEnd } from '../types.js';
import { isLease } from './decorators.js';
import type { FoundWorker } from './discovery.js';

/** `context.getType()` in guards, interceptors and filters. */
const CONTEXT_TYPE = 'quorate';

type Call = (lease: Lease) => Promise<unknown>;
type Method = (this: unknown, ...args: unknown[]) => unknown;

/** The methods of one class, called as Nest calls those of controllers. */
export class PartitionHandler {
  readonly #log = new Logger('WorkerModule');
  readonly #onPartition: Call;
  readonly #onEnd: Readonly<Record<LeaseEnd, readonly Call[]>>;
  readonly #endsOf = new WeakMap<Lease, Ends>();

  constructor(
    readonly worker: FoundWorker,
    contexts: ExternalContextCreator,
  ) {
    const call = (method: string): Call => inContext(contexts, worker.instance, method);
    const { partition, revoked, lost } = worker.methods;
    this.#onPartition = call(partition[0]!);
    this.#onEnd = { revoked: revoked.map(call), lost: lost.map(call) };
  }

  /** `onPartition` of the worker. Settles when the methods for the end of the lease have settled too. */
  async work(lease: Lease): Promise<void> {
    const ends = this.#endsOf.get(lease) ?? new Ends();
    this.#endsOf.set(lease, ends);
    try {
      await this.#onPartition(lease);
      if (this.#onEnd.revoked.length > 0) await ends.begun;
    } finally {
      await ends.settled();
    }
  }

  /** Of what has not begun there is nothing to end. */
  ended(end: LeaseEnd, lease: Lease): void {
    const ends = this.#endsOf.get(lease);
    for (const call of this.#onEnd[end])
      ends?.add(
        call(lease).then(
          () => undefined,
          (error: unknown) => this.#log.error(`${lease.scope}, when it was ${end}: ${String(error)}`),
        ),
      );
    ends?.begin();
  }

  /** The methods for the end of the lease have settled, also of one whose handler did not run at its end. */
  async settled(lease: Lease): Promise<void> {
    await this.#endsOf.get(lease)?.settled();
  }
}

/** What is called at the end of one lease. */
class Ends {
  readonly #calls: Promise<void>[] = [];
  begin!: () => void;
  readonly begun = new Promise<void>((resolve) => (this.begin = resolve));

  add(call: Promise<void>): void {
    this.#calls.push(call);
  }
  /** `lost` may come while those for `revoked` run. */
  async settled(): Promise<void> {
    for (let at = 0; at < this.#calls.length; at++) await this.#calls[at];
  }
}

function inContext(contexts: ExternalContextCreator, instance: object, name: string): Call {
  const method = withoutEnds((instance as Record<string, Method>)[name]!);
  const options = { guards: true, interceptors: true, filters: true };
  const called = contexts.create(
    instance,
    method,
    name,
    ROUTE_ARGS_METADATA,
    // Decorators of parameters that are about requests find nothing here.
    { exchangeKeyForValue: () => undefined },
    undefined,
    undefined,
    options,
    CONTEXT_TYPE,
  );
  return async (lease) => {
    const result: unknown = await called(lease);
    // What a filter returned, in the way of microservices.
    return isObservable(result) ? await lastValueFrom(result, { defaultValue: undefined }) : result;
  };
}

/** A method that stops because its lease has ended has not failed: no filter sees it, and nothing is logged. */
function withoutEnds(method: Method): Method {
  const quiet = async function (this: unknown, ...args: unknown[]): Promise<unknown> {
    try {
      return await method.apply(this, args);
    } catch (error) {
      const lease = args.find(isLease);
      if (lease !== undefined && isEnd(lease, error)) return undefined;
      throw error;
    }
  };
  // Reflector reads what decorators have noted from the function that is called.
  for (const key of Reflect.getOwnMetadataKeys(method) as unknown[])
    Reflect.defineMetadata(key, Reflect.getOwnMetadata(key, method), quiet);
  return Object.defineProperty(quiet, 'name', { value: method.name });
}

import { createParamDecorator, type ExecutionContext, SetMetadata } from '@nestjs/common';
import { ENTRY_PROVIDER_WATERMARK } from '@nestjs/common/constants.js';
import type { Lease as WorkerLease } from '../types.js';

export interface PartitionWorkerOptions {
  /** Default: the `group` of `WorkerModule.forRoot`. */
  readonly group?: string;
}

/** What `@PartitionWorker` says of a class. */
export interface WorkerClass extends PartitionWorkerOptions {
  readonly topics: readonly string[];
}

export const PARTITION_WORKER = 'quorate:partition-worker';
/** When a decorated method is called. */
export const CALLED = {
  partition: 'quorate:on-partition',
  revoked: 'quorate:on-revoked',
  lost: 'quorate:on-lost',
} as const;

/**
 * The class works on the partitions of these topics: `@PartitionWorker('tenants', { group: 'billing' })`. It is a provider of
 * any module, has one method with `@OnPartition()`, and is not request-scoped.
 */
export const PartitionWorker =
  (topics: string | readonly string[], options: PartitionWorkerOptions = {}): ClassDecorator =>
  (target) => {
    const about: WorkerClass = { ...options, topics: typeof topics === 'string' ? [topics] : topics };
    SetMetadata(PARTITION_WORKER, about)(target);
    // Guards and the like that are made anew for each class are found with it alone.
    SetMetadata(ENTRY_PROVIDER_WATERMARK, true)(target);
  };

/**
 * Called once for each lease, as `onPartition` of `createWorker`: works until `lease.signal` aborts, and settles. What it throws
 * is logged, and it is called again after a back-off.
 */
export const OnPartition = (): MethodDecorator => SetMetadata(CALLED.partition, true);
/**
 * Called when a lease is revoked: it may still write and commit. The group is told of the stop when this has settled too, and a
 * class that has it works on a partition until then.
 */
export const OnRevoked = (): MethodDecorator => SetMetadata(CALLED.revoked, true);
/** Called when a lease is lost, also after `revoked`: whatever is written for it is refused. */
export const OnLost = (): MethodDecorator => SetMetadata(CALLED.lost, true);

/** The lease of a call, for guards, interceptors, filters and decorators of parameters. Undefined: it is a call of another kind. */
export function leaseOf(context: Pick<ExecutionContext, 'getArgs'>): WorkerLease | undefined {
  const [first] = context.getArgs<unknown[]>();
  return isLease(first) ? first : undefined;
}

export const isLease = (value: unknown): value is WorkerLease =>
  typeof (value as { readonly assertOwned?: unknown } | null | undefined)?.assertOwned === 'function';

/**
 * The lease, as a parameter: `work(@Lease() lease: Lease)`. A method without decorated parameters is given it as its first.
 */
export const Lease: () => ParameterDecorator = createParamDecorator(
  (_data: unknown, context: ExecutionContext) => {
    const lease = leaseOf(context);
    if (lease === undefined)
      throw new TypeError('@Lease() is for methods with @OnPartition(), @OnRevoked() or @OnLost()');
    return lease;
  },
);
/** Decorator and type have one name, as they stand beside each other. */
export type Lease = WorkerLease;

import { currentFence, type HeldFence, runFenced } from './fence-context.js';
import { observedRetry } from './observed.js';
import { retryOnConflict, type RetryOptions } from './retry.js';

type Method = (this: unknown, ...args: unknown[]) => unknown;

/**
 * Runs the method again when another writer was faster. It must read again each time, so not for a method that is given the
 * version to write. Under a fence, the waiting ends when the partition is lost.
 */
export const RetryOnConflict = (options: RetryOptions = {}): MethodDecorator =>
  around((method) => {
    return function (...args) {
      const signal = options.signal ?? currentFence()?.signal;
      const all = observedRetry(signal === undefined ? options : { ...options, signal });
      return retryOnConflict(() => method.apply(this, args) as Promise<unknown>, all);
    };
  });

/**
 * Runs the method, which returns a promise, on behalf of a partition: every write in it, and in what it calls and awaits, carries the fence.
 * @param fenceOf finds the fence among the arguments. Default: the first that is a fence, or has one in `fence`.
 */
export const Fenced = <A extends unknown[] = never[]>(
  fenceOf?: (...args: A) => HeldFence | undefined,
): MethodDecorator =>
  around((method, name) => {
    return async function (...args) {
      const fence = fenceOf === undefined ? fenceAmong(args) : fenceOf(...(args as A));
      if (fence === undefined) {
        throw new TypeError(
          `${name} is @Fenced, and was called without a fence. Give it one as an argument, or say where it is: @Fenced((...args) => fence).`,
        );
      }
      fence.assertOwned?.();
      return await runFenced(fence, () => method.apply(this, args));
    };
  });

function fenceAmong(args: readonly unknown[]): HeldFence | undefined {
  for (const arg of args) {
    if (isFence(arg)) return arg;
    const { fence } = (arg ?? {}) as { readonly fence?: unknown };
    if (isFence(fence)) return fence;
  }
  return undefined;
}

function isFence(value: unknown): value is HeldFence {
  const { scope, token } = (value ?? {}) as { readonly scope?: unknown; readonly token?: unknown };
  return typeof scope === 'string' && typeof token === 'bigint';
}

/** Replaces a method, with its name and with what other decorators have noted on it. */
function around(replacement: (method: Method, name: string) => Method): MethodDecorator {
  return (_target, key, descriptor) => {
    const method = descriptor.value as Method;
    const replaced = replacement(method, String(key));
    Object.defineProperty(replaced, 'name', { value: method.name });
    const { getOwnMetadataKeys, getOwnMetadata, defineMetadata } = Reflect as Partial<MetadataApi>;
    for (const noted of getOwnMetadataKeys?.(method) ?? []) {
      defineMetadata?.(noted, getOwnMetadata?.(noted, method), replaced);
    }
    (descriptor as TypedPropertyDescriptor<unknown>).value = replaced;
  };
}

/** What the package reflect-metadata adds to Reflect, where it is loaded. */
interface MetadataApi {
  getOwnMetadataKeys(target: object): unknown[];
  getOwnMetadata(key: unknown, target: object): unknown;
  defineMetadata(key: unknown, value: unknown, target: object): void;
}

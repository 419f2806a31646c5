import type { Int64 } from '../kernel/index.js';

/**
 * The words in which an API's table is written. A schema is data: TypeScript infers the message types from it, and
 * `compile.ts` turns it into one decoder and one encoder for each version.
 */

/** What a field holds, as data. */
export type Shape =
  | { readonly kind: 'boolean' | 'int8' | 'int16' | 'int32' | 'int64' | 'uuid' | 'string' | 'bytes' }
  | { readonly kind: 'array'; readonly item: Shape }
  | StructShape
  | {
      readonly kind: 'nullable';
      readonly inner: Exclude<Shape, { kind: 'nullable' }>;
      /** The first version in which null may be on the wire. */
      readonly since: number;
      /** What null is written as in older versions; undefined: it cannot be written there. */
      readonly before: unknown;
    };
export interface StructShape {
  readonly kind: 'struct';
  readonly fields: Readonly<Record<string, FieldShape>>;
}
export interface FieldShape {
  readonly shape: Shape;
  /** The first and the last version that carry the field. */
  readonly since: number;
  readonly until: number;
  /** Set: carried in the tagged section of flexible versions, and only when it differs from the default (KIP-482). */
  readonly tag: number | null;
  readonly hasDefault: boolean;
  /** The value of the field in versions that lack it, and when the writer leaves it out. */
  readonly fallback: unknown;
  /** A version that lacks the field must not be asked to carry it: writing another value than the default throws. */
  readonly essential: boolean;
}

declare const types: unique symbol;
/** A shape that knows its TypeScript types: what decoding yields, and what encoding takes. */
export interface WireType<Out, In = Out> {
  readonly shape: Shape;
  readonly [types]?: { readonly out: Out; readonly in: In };
}
export interface Field<Out, In, Optional extends boolean> {
  readonly field: FieldShape;
  readonly [types]?: { readonly out: Out; readonly in: In; readonly optional: Optional };
}
export type Fields = Readonly<Record<string, Field<unknown, unknown, boolean>>>;

type FieldOut<F> = F extends Field<infer Out, infer _In, boolean> ? Out : never;
type FieldIn<F> = F extends Field<infer _Out, infer In, boolean> ? In : never;
type OptionalKeys<F extends Fields> = {
  [K in keyof F]: F[K] extends Field<unknown, unknown, true> ? K : never;
}[keyof F];

/** What decoding yields: every field is there, those that the version lacks with their default. */
export type Decoded<F extends Fields> = { readonly [K in keyof F]: FieldOut<F[K]> };
/** What encoding takes: fields with a default may be left out. */
export type Encodable<F extends Fields> = {
  readonly [K in Exclude<keyof F, OptionalKeys<F>>]: FieldIn<F[K]>;
} & { readonly [K in OptionalKeys<F>]?: FieldIn<F[K]> | undefined };

const primitive = <T>(
  kind: 'boolean' | 'int8' | 'int16' | 'int32' | 'int64' | 'uuid' | 'string',
): WireType<T> => ({
  shape: { kind },
});
export const boolean = primitive<boolean>('boolean');
export const int8 = primitive<number>('int8');
export const int16 = primitive<number>('int16');
export const int32 = primitive<number>('int32');
/** A number within +-2^53, a bigint beyond: exact in both. */
export const int64 = primitive<Int64>('int64');
/** Canonical text form, lower case. */
export const uuid = primitive<string>('uuid');
export const string = primitive<string>('string');
/** Decodes to a view of the frame. */
export const bytes: WireType<Buffer, Uint8Array> = { shape: { kind: 'bytes' } };

export const NO_UUID = '00000000-0000-0000-0000-000000000000';

export function array<Out, In>(item: WireType<Out, In>): WireType<readonly Out[], readonly In[]> {
  return { shape: { kind: 'array', item: item.shape } };
}

/** An object: its fields in the order of the wire. */
export function struct<const F extends Fields>(fields: F): WireType<Decoded<F>, Encodable<F>> {
  return { shape: structShape(fields) };
}
export function structShape(fields: Fields): StructShape {
  return {
    kind: 'struct',
    fields: Object.fromEntries(Object.entries(fields).map(([name, { field }]) => [name, field])),
  };
}

/**
 * `T | null`. `since`: the first version that can carry null; older ones carry `before` in its stead, or refuse null
 * when there is none.
 */
export function nullable<Out, In>(
  inner: WireType<Out, In>,
  options: { readonly since?: number; readonly before?: NoInfer<In> } = {},
): WireType<Out | null, In | null> {
  if (inner.shape.kind === 'nullable') throw new TypeError('nullable twice');
  return {
    shape: { kind: 'nullable', inner: inner.shape, since: options.since ?? 0, before: options.before },
  };
}

interface FieldOptions {
  readonly since?: number;
  readonly until?: number;
  readonly tag?: number;
  readonly essential?: boolean;
}
/** A field of every version (or of `since` to `until`). With a default it may be left out when encoding. */
export function field<Out, In>(
  type: WireType<Out, In>,
  options: FieldOptions & { readonly default: NoInfer<Out> },
): Field<Out, In, true>;
export function field<Out, In>(type: WireType<Out, In>, options?: FieldOptions): Field<Out, In, false>;
export function field<Out, In>(
  type: WireType<Out, In>,
  options: FieldOptions & { readonly default?: Out } = {},
): Field<Out, In, boolean> {
  return {
    field: {
      shape: type.shape,
      since: options.since ?? 0,
      until: options.until ?? Number.POSITIVE_INFINITY,
      tag: options.tag ?? null,
      hasDefault: 'default' in options,
      fallback: options.default,
      essential: options.essential ?? false,
    },
  };
}

import type { Fields, FieldValue } from './model.js';

/** Field values that JSON has no form for are an object with one tagged member. */
const TAG = { bigint: '$bigint', date: '$date', bytes: '$bytes' } as const;

export function toJson(fields: Fields): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, valueToJson(value)]));
}

export function fromJson(fields: Readonly<Record<string, unknown>>): Fields {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [name, valueFromJson(name, value)]),
  );
}

function valueToJson(value: FieldValue): unknown {
  if (typeof value === 'bigint') return { [TAG.bigint]: String(value) };
  if (value instanceof Date) return { [TAG.date]: value.toISOString() };
  if (value instanceof Uint8Array) return { [TAG.bytes]: Buffer.from(value).toString('base64') };
  if (typeof value === 'number' && !Number.isFinite(value))
    throw new TypeError(`a field holds a finite number, not ${value}`);
  return value;
}

function valueFromJson(name: string, value: unknown): FieldValue {
  if (value === null || typeof value !== 'object') return value as FieldValue;
  const tagged = value as Readonly<Record<string, string>>;
  if (TAG.bigint in tagged) return BigInt(tagged[TAG.bigint]!);
  if (TAG.date in tagged) return new Date(tagged[TAG.date]!);
  if (TAG.bytes in tagged) return new Uint8Array(Buffer.from(tagged[TAG.bytes]!, 'base64'));
  throw new TypeError(`the field ${name} holds nested JSON, which a flat record does not have`);
}

import { z } from 'zod';

/** One row of the table of settings: what the loader checks, and what docs/settings.md shows. */
export interface Setting<T> {
  readonly schema: z.ZodType<T>;
  /** What the value counts: 'ms', 'bytes' ...; '' when it counts nothing. */
  readonly unit: string;
  /** Undefined: it must be given. */
  readonly preset: T | undefined;
  /** In place of the default where that follows from other settings. */
  readonly presetText?: string;
  /** Which values are taken, in words that fit behind "give". */
  readonly accepts: string;
  readonly help: string;
  /** How the text of an environment variable becomes a value; text that cannot be read is passed on as it is. */
  readonly fromText: (text: string) => unknown;
}

interface Row<T> {
  readonly preset?: T;
  readonly presetText?: string;
  readonly help: string;
}

const numberFromText = (text: string): unknown => (/^-?[0-9]+(\.[0-9]+)?$/.test(text) ? Number(text) : text);
const jsonFromText = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
};
const booleanFromText = (text: string): unknown => (text === 'true' ? true : text === 'false' ? false : text);

export function integer(
  row: Row<number> & { readonly unit?: string; readonly min: number; readonly max: number },
): Setting<number> {
  const { unit = '', min, max } = row;
  return {
    schema: z.number().int().min(min).max(max),
    unit,
    preset: row.preset,
    ...(row.presetText === undefined ? {} : { presetText: row.presetText }),
    accepts: `an integer from ${min} to ${max}${unit === '' ? '' : ` (${unit})`}`,
    help: row.help,
    fromText: numberFromText,
  };
}

export function ratio(row: Row<number> & { readonly min: number; readonly max: number }): Setting<number> {
  return {
    schema: z.number().min(row.min).max(row.max),
    unit: 'ratio',
    preset: row.preset,
    accepts: `a number from ${row.min} to ${row.max}`,
    help: row.help,
    fromText: numberFromText,
  };
}

export function flag(row: Row<boolean>): Setting<boolean> {
  return {
    schema: z.boolean(),
    unit: '',
    preset: row.preset,
    accepts: 'true or false',
    help: row.help,
    fromText: booleanFromText,
  };
}

export function choice<const T extends string>(row: Row<T> & { readonly of: readonly T[] }): Setting<T> {
  return {
    schema: z.enum(row.of as readonly [T, ...T[]]),
    unit: '',
    preset: row.preset,
    accepts: `one of ${row.of.join(', ')}`,
    help: row.help,
    fromText: (text) => text,
  };
}

export function text(
  row: Row<string> & { readonly pattern?: RegExp; readonly accepts: string },
): Setting<string> {
  return {
    schema: z.string().regex(row.pattern ?? /^.+$/),
    unit: '',
    preset: row.preset,
    ...(row.presetText === undefined ? {} : { presetText: row.presetText }),
    accepts: row.accepts,
    help: row.help,
    fromText: (value) => value,
  };
}

/** A value of its own shape; given as JSON in the environment. */
export function shaped<T>(
  row: Row<T> & { readonly schema: z.ZodType<T>; readonly accepts: string },
): Setting<T> {
  return {
    schema: row.schema,
    unit: '',
    preset: row.preset,
    ...(row.presetText === undefined ? {} : { presetText: row.presetText }),
    accepts: row.accepts,
    help: row.help,
    fromText: jsonFromText,
  };
}

/** The same, and may be absent: null then. */
export function optional<T>(setting: Setting<T>, presetText: string): Setting<T | null> {
  return { ...setting, schema: setting.schema.nullable(), preset: null, presetText };
}

/** `mysql` stands for MySQL 8 and MariaDB 10.5 or later. */
export type DialectName = 'postgres' | 'mysql' | 'sqlite';

/** Where the three databases spell the same thing differently. */
export interface Dialect {
  readonly name: DialectName;
  readonly quote: (identifier: string) => string;
  /** Of the parameter at this position, from 1. */
  readonly placeholder: (position: number) => string;
  /** A token is sent as digits or as a big integer and compared as an integer of 64 bits, never as a double. */
  readonly token: (placeholder: string) => string;
  /** An integer as text: no driver rounds text. */
  readonly digits: (expression: string) => string;
  readonly forUpdate: string;
  readonly forShare: string;
  /** Inserts nothing, silently, when the key is there. Around `INTO ... VALUES ...`. */
  readonly insertUnlessThere: (into: string, key: string) => string;
}

const doubleQuoted = (identifier: string): string => `"${checked(identifier).replaceAll('"', '""')}"`;

export const DIALECTS: { readonly [K in DialectName]: Dialect } = {
  postgres: {
    name: 'postgres',
    quote: doubleQuoted,
    placeholder: (position) => `$${position}`,
    token: (placeholder) => `CAST(${placeholder} AS bigint)`,
    digits: (expression) => `CAST(${expression} AS text)`,
    forUpdate: ' FOR UPDATE',
    forShare: ' FOR SHARE',
    insertUnlessThere: (into, key) => `INSERT ${into} ON CONFLICT (${key}) DO NOTHING`,
  },
  mysql: {
    name: 'mysql',
    quote: (identifier) => `\`${checked(identifier).replaceAll('`', '``')}\``,
    placeholder: () => '?',
    token: (placeholder) => `CAST(${placeholder} AS UNSIGNED)`,
    digits: (expression) => `CAST(${expression} AS CHAR)`,
    forUpdate: ' FOR UPDATE',
    // MariaDB has no FOR SHARE; MySQL 8 takes the older words too.
    forShare: ' LOCK IN SHARE MODE',
    // Not IGNORE: that would also shorten what is too long.
    insertUnlessThere: (into, key) => `INSERT ${into} ON DUPLICATE KEY UPDATE ${key} = ${key}`,
  },
  sqlite: {
    name: 'sqlite',
    quote: doubleQuoted,
    placeholder: () => '?',
    token: (placeholder) => `CAST(${placeholder} AS INTEGER)`,
    digits: (expression) => `CAST(${expression} AS TEXT)`,
    // One writer at a time: the holder of the write lock holds every row.
    forUpdate: '',
    forShare: '',
    insertUnlessThere: (into, key) => `INSERT ${into} ON CONFLICT (${key}) DO NOTHING`,
  },
};

function checked(identifier: string): string {
  // A control character is no name in any schema; one of them marks the parameters in templates.
  if (identifier === '' || /[\u0000-\u001f]/.test(identifier)) {
    throw new TypeError(`${JSON.stringify(identifier)} cannot be the name of a table or column`);
  }
  return identifier;
}

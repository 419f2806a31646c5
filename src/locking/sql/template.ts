import { createHash } from 'node:crypto';
import type { WriteOperation } from '../model.js';
import type { Dialect } from './dialect.js';
import type { SqlValue, Statement, StatementHints } from './statement.js';
import { fieldsOf } from './table.js';

/** What a parameter means. */
type Slot = 'id' | 'version' | 'token' | 'scope' | { readonly column: string };

/** Marks to write into the text of a template where a parameter belongs. */
export const MARK = {
  id: '\u0001id\u0002',
  version: '\u0001version\u0002',
  token: '\u0001token\u0002',
  scope: '\u0001scope\u0002',
  column: (index: number): string => `\u0001${index}\u0002`,
} as const;
const MARKS = /\u0001(\w+)\u0002/g;

/** The text of a statement that is sent again and again with other values: built once for each shape of a write. */
export class Template {
  readonly #text: string;
  readonly #slots: readonly Slot[];
  readonly #hints: StatementHints;

  constructor(
    dialect: Dialect,
    marked: string,
    options: { readonly columns: readonly string[]; readonly rows: boolean },
  ) {
    const slots: Slot[] = [];
    const positions = new Map<string, number>();
    this.#text = marked.replace(MARKS, (_, name: string) => {
      const known = positions.get(name);
      // Only PostgreSQL can name a parameter twice.
      if (known !== undefined && dialect.name === 'postgres') return dialect.placeholder(known);
      slots.push(/^\d+$/.test(name) ? { column: options.columns[Number(name)]! } : (name as Slot));
      positions.set(name, slots.length);
      return dialect.placeholder(slots.length);
    });
    this.#slots = slots;
    this.#hints = { rows: options.rows, name: statementName(this.#text) };
  }

  bind(operation: WriteOperation): Statement {
    const fields = fieldsOf(operation);
    const params = this.#slots.map((slot): SqlValue => {
      switch (slot) {
        case 'id':
          return operation.id;
        case 'version':
          return operation.kind === 'insert' ? 1 : operation.version;
        case 'token':
          return operation.fence!.token;
        case 'scope':
          return operation.fence!.scope;
        default:
          return fields[slot.column]!;
      }
    });
    return { text: this.#text, params, hints: this.#hints };
  }
}

/** The same text has the same name in every store of every process, so that stores may share connections. */
export const statementName = (text: string): string =>
  `quorate_${createHash('sha256').update(text).digest('hex').slice(0, 24)}`;

/** Collects the values of a statement that is built for one occasion. */
export class Params {
  readonly values: SqlValue[] = [];
  readonly #dialect: Dialect;
  constructor(dialect: Dialect) {
    this.#dialect = dialect;
  }
  add(value: SqlValue): string {
    this.values.push(value);
    return this.#dialect.placeholder(this.values.length);
  }
  list(values: readonly SqlValue[]): string {
    return values.map((value) => this.add(value)).join(', ');
  }
}

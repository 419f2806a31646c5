import { median } from '../test/harness/waiting.js';

/** One figure of the table. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** What it should be, when something was promised. */
  readonly target?: { readonly kind: 'at most' | 'at least'; readonly value: number };
}

/** The same figure of two systems, of each round. */
export interface Versus {
  readonly name: string;
  readonly unit: string;
  readonly ours: readonly number[];
  readonly theirs: readonly number[];
  /** For the ratio of the medians, ours to theirs. */
  readonly target: Figure['target'] | undefined;
}

export const isMet = ({ value, target }: Figure): boolean | undefined =>
  target === undefined
    ? undefined
    : target.kind === 'at most'
      ? value <= target.value
      : value >= target.value;

const text = (value: number): string =>
  value === Infinity
    ? 'never'
    : Math.abs(value) >= 100
      ? Math.round(value).toLocaleString('en-US')
      : value.toPrecision(3);

/** The median, and the lowest and highest. */
function spread(values: readonly number[]): string {
  if (values.some(Number.isNaN)) return '-';
  return `${text(median(values))} (${text(Math.min(...values))} to ${text(Math.max(...values))})`;
}

export class Report {
  readonly figures: Figure[] = [];
  readonly #print: (line: string) => void;
  constructor(print: (line: string) => void) {
    this.#print = print;
  }

  title(name: string): void {
    this.#print(`\n${name}`);
  }
  /** A line for each: the medians of both systems with their lowest and highest, and the ratio, which may have a target. */
  versus({ name, unit, ours, theirs, target }: Versus): void {
    const ratio: Figure = {
      name: `${name}, ratio`,
      value: median(ours) / median(theirs),
      unit: 'x',
      ...(target !== undefined && { target }),
    };
    this.figures.push(
      { name: `${name}, Quorate`, value: median(ours), unit },
      { name: `${name}, peer`, value: median(theirs), unit },
      ratio,
    );
    const verdict = { true: 'met', false: 'MISSED', undefined: '' }[String(isMet(ratio))];
    const wanted = target === undefined ? '' : `${target.kind} ${text(target.value)}`;
    const known = !Number.isFinite(ratio.value) ? '' : `${text(ratio.value)} x`;
    this.#print(
      `  ${name.padEnd(44)} ${spread(ours).padEnd(28)} ${spread(theirs).padEnd(28)} ${unit.padEnd(4)} ${known.padEnd(9)} ${wanted.padEnd(15)} ${verdict}`.trimEnd(),
    );
  }
  add(figure: Figure): void {
    this.figures.push(figure);
    const { name, value, unit, target } = figure;
    const wanted = target === undefined ? '' : `${target.kind} ${text(target.value)}`;
    const verdict = { true: 'met', false: 'MISSED', undefined: '' }[String(isMet(figure))];
    this.#print(
      `  ${name.padEnd(58)} ${text(value).padStart(10)} ${unit.padEnd(10)} ${wanted.padEnd(18)} ${verdict}`.trimEnd(),
    );
  }
}

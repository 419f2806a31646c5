/** One figure of the table. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** What it should be, when something was promised. */
  readonly target?: { readonly kind: 'at most' | 'at least'; readonly value: number };
}

export const isMet = ({ value, target }: Figure): boolean | undefined =>
  target === undefined
    ? undefined
    : target.kind === 'at most'
      ? value <= target.value
      : value >= target.value;

const text = (value: number): string =>
  Math.abs(value) >= 100 ? Math.round(value).toLocaleString('en-US') : value.toPrecision(3);

export class Report {
  readonly figures: Figure[] = [];
  readonly #print: (line: string) => void;
  constructor(print: (line: string) => void) {
    this.#print = print;
  }

  title(name: string): void {
    this.#print(`\n${name}`);
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

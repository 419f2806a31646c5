import { crc32c, crc32cWord, type ReplicaId } from '../kernel/index.js';
import type { Recorder } from './recorder.js';

const REMEMBERED = 60;

/** A moment of the trace: a text, or the numbers that make one. */
interface Line {
  readonly atMs: number;
  readonly text: string | readonly [from: ReplicaId, to: ReplicaId, kind: number, bytes: number];
}

/** What happened, in order: a hash of all of it, the last lines, and how often each goal was reached. */
export class Trace {
  readonly goals = new Map<string, number>();
  /** Every line goes here too. */
  onLine: ((line: string) => void) | undefined;
  /** Gathers what a diagram shows. */
  recorder: Recorder | undefined;
  #hash = 0;
  readonly #lines: Line[] = [];

  note(atMs: number, what: string): void {
    this.#hash = crc32c(Buffer.from(what), crc32cWord(Math.round(atMs * 1_000), this.#hash));
    this.#keep({ atMs, text: what });
    this.recorder?.note(what);
  }

  /** A message arrives. Most lines are of this kind: they become text only where somebody reads them. */
  message(atMs: number, from: ReplicaId, to: ReplicaId, kind: number, bytes: number): void {
    const where = crc32cWord(from * 0x10000 + to * 0x100 + kind, this.#hash);
    this.#hash = crc32cWord(bytes, crc32cWord(Math.round(atMs * 1_000), where));
    this.#keep({ atMs, text: [from, to, kind, bytes] });
  }

  #keep(line: Line): void {
    const lines = this.#lines;
    lines.push(line);
    if (lines.length > 8 * REMEMBERED) lines.splice(0, lines.length - REMEMBERED);
    this.onLine?.(textOf(line));
  }

  /** Something worth reaching was reached. */
  reached(goal: string): void {
    this.goals.set(goal, (this.goals.get(goal) ?? 0) + 1);
  }

  get hash(): number {
    return this.#hash;
  }
  get last(): readonly string[] {
    return this.#lines.slice(-REMEMBERED).map(textOf);
  }
}

function textOf({ atMs, text }: Line): string {
  const what = typeof text === 'string' ? text : `${text[0]}>${text[1]} ${text[2]} ${text[3]}`;
  return `${atMs.toFixed(3)} ${what}`;
}

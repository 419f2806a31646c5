import { readFileSync, writeFileSync } from 'node:fs';
import { gunzipSync, gzipSync } from 'node:zlib';
import type { Sequence, StepOutcome } from './sequence.js';

/** A sequence and what a Kafka answered. */
export interface Recorded {
  readonly sequence: Sequence;
  readonly kafka: readonly StepOutcome[];
}

/** One line of JSON each, compressed. */
export function record(file: string, all: readonly Recorded[]): void {
  const lines = all.map(({ sequence, kafka }) => `${JSON.stringify({ sequence, kafka })}\n`);
  writeFileSync(file, gzipSync(lines.join(''), { level: 9 }));
}
export function recorded(file: string): readonly Recorded[] {
  const lines = gunzipSync(readFileSync(file)).toString('utf8').trimEnd().split('\n');
  return lines.map((line) => JSON.parse(line) as Recorded);
}

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT } from '../harness/cluster.js';
import { run } from './run.js';

export interface Packed {
  readonly tarball: string;
  /** Paths in the package. */
  readonly files: readonly { readonly path: string; readonly size: number }[];
  readonly packedBytes: number;
  readonly unpackedBytes: number;
  remove(): void;
}

/** What `npm publish` would upload, of the dist that is there: `npm run test:package` builds it first. */
export async function pack(): Promise<Packed> {
  const directory = mkdtempSync(join(tmpdir(), 'quorate-packed-'));
  const { stdout } = await run(
    'npm',
    ['pack', '--ignore-scripts', '--json', '--pack-destination', directory],
    ROOT,
  );
  const [report] = JSON.parse(stdout) as [
    { filename: string; size: number; unpackedSize: number; files: Packed['files'] },
  ];
  return {
    tarball: join(directory, report.filename),
    files: report.files,
    packedBytes: report.size,
    unpackedBytes: report.unpackedSize,
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../harness/cluster.js';
import { pack, type Packed } from './packed.js';

interface Manifest {
  readonly exports: Readonly<Record<string, string | Readonly<Record<string, string>>>>;
  readonly typesVersions: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly peerDependencies: Readonly<Record<string, string>>;
}
const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Manifest;
const PACKED_BYTES_MAX = 1_900_000;
const UNPACKED_BYTES_MAX = 7_500_000;

let packed: Packed;
beforeAll(async () => {
  packed = await pack();
}, 60_000);
afterAll(() => packed.remove());

describe('the tarball', () => {
  it('holds the built program and what a reader needs, and nothing of how it is made', () => {
    const paths = packed.files.map(({ path }) => path);
    expect(paths).toEqual(expect.arrayContaining(['package.json', 'README.md', 'LICENSE', 'CHANGELOG.md']));
    const beside = paths.filter((path) => !/^(bin|dist|docs|examples)\//.test(path));
    expect(beside.sort()).toEqual(['CHANGELOG.md', 'LICENSE', 'README.md', 'package.json']);
    expect(paths).toEqual(
      expect.arrayContaining(['bin/quorate.js', 'docs/README.md', 'docs/settings.md', 'examples/worker.js']),
    );
    const program = paths.filter((path) => path.startsWith('dist/'));
    expect(program.filter((path) => !/\.(js|js\.map|d\.ts)$/.test(path))).toEqual([]);
    expect(program.filter((path) => path.startsWith('dist/simulator/'))).toEqual([]);
    expect(paths.filter((path) => /^docs\/(?!.*\.md$)|^docs\/api/.test(path))).toEqual([]);
    expect(paths.filter((path) => /(^|\/)(tests?|specs?|fixtures?)\/|\.(test|spec)\./i.test(path))).toEqual(
      [],
    );
  });

  it('is of a sane size', () => {
    expect(packed.packedBytes).toBeLessThan(PACKED_BYTES_MAX);
    expect(packed.unpackedBytes).toBeLessThan(UNPACKED_BYTES_MAX);
  });

  it('has every file that its exports name, for compilers that do not read exports too', () => {
    const paths = new Set(packed.files.map(({ path }) => `./${path}`));
    const named = Object.values(manifest.exports).flatMap((entry) =>
      typeof entry === 'string' ? [entry] : Object.values(entry),
    );
    expect(named.filter((path) => !paths.has(path))).toEqual([]);
    const subpaths = Object.entries(manifest.exports).flatMap(([name, entry]) =>
      typeof entry === 'string' || name === '.' ? [] : [[name.slice(2), [entry['types']!.slice(2)]]],
    );
    expect(manifest.typesVersions).toEqual({ '*': Object.fromEntries(subpaths) as unknown });
  });

  it('has sources in its source maps, which point to files that are not in it', () => {
    const maps = packed.files.filter(({ path }) => path.endsWith('.map'));
    expect(maps.length).toBeGreaterThan(100);
    const empty = maps.filter(({ path }) => {
      const { sources, sourcesContent } = JSON.parse(readFileSync(join(ROOT, path), 'utf8')) as {
        sources: string[];
        sourcesContent?: (string | null)[];
      };
      return sourcesContent?.length !== sources.length || sourcesContent.some((content) => content === null);
    });
    expect(empty).toEqual([]);
  });

  it('imports what it declares, and declares what it imports', () => {
    const imported = new Set<string>();
    // Examples name what they need themselves.
    for (const { path } of packed.files.filter((file) => /^(bin|dist)\/.*\.(js|d\.ts)$/.test(file.path))) {
      const text = readFileSync(join(ROOT, path), 'utf8');
      for (const [, name] of text.matchAll(
        /(?:\bfrom |\bimport |\bimport\()['"]((?:@[\w-]+\/)?[\w-]+)(?:\/[^'"]*)?['"]/g,
      ))
        imported.add(name!);
    }
    const declared = [...Object.keys(manifest.dependencies), ...Object.keys(manifest.peerDependencies)];
    // Users hand the drivers in, and types of our own say what is needed of them: their ranges say which versions fit.
    const drivers = ['better-sqlite3', 'ioredis', 'kafkajs', 'mysql2', 'pg'];
    expect([...imported, ...drivers].sort()).toEqual(declared.sort());
  });
});

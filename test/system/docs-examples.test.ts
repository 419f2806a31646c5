import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import ts from 'typescript';
import { addressText } from '../harness/connection.js';
import { Child } from '../harness/child.js';
import { Cluster, ROOT } from '../harness/cluster.js';
import { blocksOf, type Example, EXAMPLES } from '../harness/docs-examples.js';

const PAGES = [
  'README.md',
  'docs/worker.md',
  'docs/locking.md',
  ...readdirSync(join(ROOT, 'docs/moving')).map((page) => `docs/moving/${page}`),
];
/** Beside package.json: `quorate/worker` is the package itself there, as it was built. */
const DIRECTORY = join(ROOT, `.build-docs-${process.pid}`);
const titleOf = ({ page, block }: Example): string => `${page}, block ${block}`;
const fileOf = ({ page, block }: Example): string =>
  join(DIRECTORY, `${page.replaceAll(/\W/g, '-')}-${block}.ts`);

describe('the examples of the docs, as they stand', () => {
  let cluster: Cluster;
  beforeAll(async () => {
    mkdirSync(DIRECTORY);
    cluster = await Cluster.start();
    await cluster.createTopic('tenants', 4);
    const [kafka, http] = [cluster.bootstrap.map(addressText), cluster.replicas.map((each) => each.http)];
    // The addresses of npm start are those of this cluster.
    const here = (text: string): string =>
      text
        .replaceAll(/127\.0\.0\.1:909([234])/g, (_, digit: string) => kafka[Number(digit) - 2]!)
        .replaceAll(/http:\/\/127\.0\.0\.1:808([012])/g, (_, digit: string) => http[Number(digit)]!);
    for (const example of EXAMPLES) {
      const block = blocksOf(example.page)[example.block] ?? '';
      writeFileSync(
        fileOf(example),
        here(`${example.before}\n${block}\n${example.proof ?? ''}\nexport {};\n`),
      );
    }
  }, 90_000);
  afterAll(async () => {
    await cluster.close();
    rmSync(DIRECTORY, { recursive: true, force: true });
  }, 30_000);

  it('are all known here', () => {
    for (const page of PAGES) {
      const known = EXAMPLES.filter((each) => each.page === page).map(({ block }) => block);
      expect([page, known]).toEqual([page, blocksOf(page).map((_, block) => block)]);
    }
  });

  it('compile', () => {
    const files = EXAMPLES.map(fileOf);
    const program = ts.createProgram(files, {
      target: ts.ScriptTarget.ES2023,
      module: ts.ModuleKind.NodeNext,
      moduleResolution: ts.ModuleResolutionKind.NodeNext,
      strict: true,
      // Examples leave out what their reader can guess.
      noImplicitAny: false,
      experimentalDecorators: true,
      emitDecoratorMetadata: true,
      skipLibCheck: true,
      noEmit: true,
      types: ['node'],
    });
    const problems = ts.getPreEmitDiagnostics(program).map(({ file, start, messageText }) => {
      const place =
        file &&
        `${file.fileName.slice(DIRECTORY.length + 1)}:${file.getLineAndCharacterOfPosition(start ?? 0).line + 1}`;
      return `${place}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`;
    });
    expect(problems).toEqual([]);
  }, 180_000);

  const run = EXAMPLES.filter(({ proof }) => proof !== undefined);
  it.each(run.map((example) => [titleOf(example), example] as const))(
    '%s runs',
    async (_, example) => {
      const args = ['--import', './test/harness/typescript.js', fileOf(example)];
      const child = new Child('example', process.execPath, args, { cwd: ROOT });
      const code = await child.exited;
      expect([code, child.lines]).toEqual([0, []]);
    },
    90_000,
  );
});

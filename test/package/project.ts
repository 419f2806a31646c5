import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { ROOT } from '../harness/cluster.js';
import type { Packed } from './packed.js';
import { attempt, type Ended, run } from './run.js';

export interface ProjectOptions {
  /** A directory of test/package/fixtures, which becomes `src`. */
  readonly fixture: string;
  readonly type: 'module' | 'commonjs';
  /** Besides quorate itself. */
  readonly dependencies?: Readonly<Record<string, string>>;
}

/** What the strictest of our users compile with, besides what a test is about. */
const STRICT = {
  target: 'ES2023',
  lib: ['ES2023'],
  strict: true,
  noUncheckedIndexedAccess: true,
  exactOptionalPropertyTypes: true,
  noUnusedLocals: true,
  experimentalDecorators: true,
  emitDecoratorMetadata: true,
  types: ['node'],
  rootDir: 'src',
  outDir: 'out',
};
const TSC = join(ROOT, 'node_modules/typescript/bin/tsc');

/** A project of a user in a temporary directory, into which the packed package is installed. */
export class Project {
  readonly directory: string;
  /** What npm said when it installed. */
  readonly #said: string[] = [];

  private constructor(directory: string) {
    this.directory = directory;
  }

  static async install(
    { tarball }: Packed,
    { fixture, type, dependencies = {} }: ProjectOptions,
  ): Promise<Project> {
    const project = new Project(mkdtempSync(join(tmpdir(), 'quorate-user-')));
    project.#write('package.json', {
      ...{ name: 'user', private: true, type },
      dependencies: { quorate: `file:${tarball}`, ...dependencies },
    });
    cpSync(join(ROOT, 'test/package/fixtures', fixture), project.path('src'), { recursive: true });
    await project.add();
    return project;
  }

  /** One of our examples with a package.json of its own, as somebody who copies it. */
  static async example(
    { tarball }: Packed,
    name: string,
    packages: readonly string[] = [],
  ): Promise<Project> {
    const project = new Project(mkdtempSync(join(tmpdir(), 'quorate-example-')));
    cpSync(join(ROOT, 'examples', name), project.directory, {
      recursive: true,
      // What somebody has installed and built in it.
      filter: (path) => !['node_modules', 'out', 'package-lock.json'].includes(basename(path)),
    });
    const manifest = JSON.parse(readFileSync(project.path('package.json'), 'utf8')) as {
      dependencies: Record<string, string>;
    };
    manifest.dependencies['quorate'] = `file:${tarball}`;
    project.#write('package.json', manifest);
    await project.add(...packages);
    return project;
  }

  /** Installs what package.json says, and `packages`. Their install scripts do not run: none of them may be needed. */
  async add(...packages: readonly string[]): Promise<void> {
    const quietly = ['--prefer-offline', '--no-audit', '--no-fund', '--ignore-scripts'];
    const { stderr } = await run('npm', ['install', ...quietly, ...packages], this.directory);
    this.#said.push(stderr);
  }

  path(...parts: readonly string[]): string {
    return join(this.directory, ...parts);
  }

  /** Each place in the tree where a package is. */
  copiesOf(name: string): readonly string[] {
    return this.installed().filter((path) => path.endsWith(`node_modules/${name}`));
  }
  /** Where packages are, as npm notes it. */
  installed(): readonly string[] {
    const lock = JSON.parse(readFileSync(this.path('package-lock.json'), 'utf8')) as {
      packages: Record<string, unknown>;
    };
    return Object.keys(lock.packages).filter((path) => path !== '');
  }
  /** What npm has to say about peers, when it installs and of the tree as it is. */
  async peerProblems(): Promise<readonly string[]> {
    const { stdout } = await attempt('npm', ['ls', '--all', '--json'], this.directory);
    const { problems = [] } = JSON.parse(stdout) as { problems?: string[] };
    const warnings = this.#said.join('\n').split('\n');
    return [...warnings.filter((line) => /peer|ERESOLVE/i.test(line)), ...problems];
  }

  /** @throws Error with what the compiler reported. */
  async compile(options: Readonly<Record<string, unknown>>): Promise<void> {
    this.#write('tsconfig.json', { compilerOptions: { ...STRICT, ...options }, include: ['src'] });
    await run(process.execPath, [TSC, '-p', '.'], this.directory);
  }

  node(...args: readonly string[]): Promise<Ended> {
    return attempt(process.execPath, args, this.directory);
  }
  /** A script of its package.json, with these variables of the environment besides. */
  script(name: string, variables: Readonly<Record<string, string>> = {}): Promise<Ended> {
    return attempt('npm', ['run', name], this.directory, variables);
  }
  /** The `quorate` command, as npx finds it. */
  quorate(...args: readonly string[]): Promise<Ended> {
    return attempt('npx', ['--no-install', 'quorate', ...args], this.directory);
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }

  #write(file: string, content: object): void {
    writeFileSync(this.path(file), JSON.stringify(content, null, 2));
  }
}

import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import ts from 'typescript';

/** The files of the repository by their path from its root. A test plants a violation by adding one. */
export type Tree = ReadonlyMap<string, string>;
export interface Finding {
  readonly file: string;
  readonly line: number;
  readonly says: string;
}

const SKIPPED = new Set(['node_modules', 'dist', '.git', 'data', 'coverage', 'api']);
const READ = /\.(ts|js|cjs|md|json)$/;

export function readTree(root: string, folder = ''): Map<string, string> {
  const files = new Map<string, string>();
  for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      if (!SKIPPED.has(entry.name)) for (const [name, text] of readTree(root, path)) files.set(name, text);
    } else if (READ.test(entry.name)) {
      files.set(path, readFileSync(join(root, path), 'utf8'));
    } else {
      files.set(path, '');
    }
  }
  return files;
}

const parsed = new Map<string, { readonly text: string; readonly source: ts.SourceFile }>();
export function parse(path: string, text: string): ts.SourceFile {
  const known = parsed.get(path);
  if (known?.text === text) return known.source;
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  parsed.set(path, { text, source });
  return source;
}

export const lineOf = (node: ts.Node): number =>
  node.getSourceFile().getLineAndCharacterOfPosition(node.getStart()).line + 1;
export const linesOf = (node: ts.Node): number =>
  node.getSourceFile().getLineAndCharacterOfPosition(node.getEnd()).line + 2 - lineOf(node);

export const programs = (tree: Tree, folders: RegExp): [string, ts.SourceFile][] =>
  [...tree]
    .filter(([path]) => /\.(ts|js)$/.test(path) && !path.endsWith('.d.ts') && folders.test(path))
    .map(([path, text]) => [path, parse(path, text)]);

/** The source file that a module name of `from` means; undefined for packages. `dist` is the build of `src`. */
export function resolve(tree: Tree, from: string, specifier: string): string | undefined {
  if (!specifier.startsWith('.')) return undefined;
  const path = normalize(join(dirname(from), specifier)).replace(/^dist\//, 'src/');
  return [path.replace(/\.js$/, '.ts'), path, `${path}.ts`].find((name) => tree.has(name));
}

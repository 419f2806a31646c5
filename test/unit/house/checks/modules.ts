import ts from 'typescript';
import { lineOf, programs, resolve, type Finding, type Tree } from './tree.js';

interface Module {
  readonly exports: Map<string, number>;
  /** Modules of `export * from`. */
  readonly forwards: string[];
  readonly imports: { readonly from: string; readonly names: readonly string[] | 'all' }[];
}

const specifierOf = (node: ts.Node | undefined): string | undefined =>
  node !== undefined && ts.isStringLiteralLike(node) ? node.text : undefined;
const isExported = (node: ts.Statement): boolean =>
  ts.canHaveModifiers(node) &&
  (ts.getModifiers(node)?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword) ?? false);

function declaredNames(node: ts.Statement): string[] {
  if (ts.isVariableStatement(node)) {
    const names: string[] = [];
    const take = (name: ts.BindingName): void => {
      if (ts.isIdentifier(name)) names.push(name.text);
      else for (const part of name.elements) if (ts.isBindingElement(part)) take(part.name);
    };
    for (const { name } of node.declarationList.declarations) take(name);
    return names;
  }
  const { name } = node as { name?: ts.Node };
  return name !== undefined && ts.isIdentifier(name) ? [name.text] : [];
}

function importedNames(node: ts.ImportDeclaration): readonly string[] | 'all' {
  const bindings = node.importClause?.namedBindings;
  if (bindings !== undefined && ts.isNamespaceImport(bindings)) return 'all';
  const named = bindings === undefined ? [] : bindings.elements.map((e) => (e.propertyName ?? e.name).text);
  return node.importClause?.name === undefined ? named : [...named, 'default'];
}

function readModule(tree: Tree, file: string, source: ts.SourceFile): Module {
  const module: Module = { exports: new Map(), forwards: [], imports: [] };
  const uses = (specifier: string | undefined, names: readonly string[] | 'all'): string | undefined => {
    const from = specifier === undefined ? undefined : resolve(tree, file, specifier);
    if (from !== undefined) module.imports.push({ from, names });
    return from;
  };
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword)
      uses(specifierOf(node.arguments[0]), 'all');
    if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument))
      uses(specifierOf(node.argument.literal), 'all');
    ts.forEachChild(node, visit);
  };
  for (const node of source.statements) {
    if (ts.isImportDeclaration(node)) uses(specifierOf(node.moduleSpecifier), importedNames(node));
    else if (ts.isExportDeclaration(node)) {
      const clause = node.exportClause;
      if (clause === undefined) {
        const from = uses(specifierOf(node.moduleSpecifier), []);
        if (from !== undefined) module.forwards.push(from);
      } else if (ts.isNamedExports(clause)) {
        uses(
          specifierOf(node.moduleSpecifier),
          clause.elements.map((e) => (e.propertyName ?? e.name).text),
        );
        for (const e of clause.elements) module.exports.set(e.name.text, lineOf(e));
      } else {
        uses(specifierOf(node.moduleSpecifier), 'all');
        module.exports.set(clause.name.text, lineOf(node));
      }
    } else if (isExported(node)) {
      for (const name of declaredNames(node)) module.exports.set(name, lineOf(node));
    }
  }
  visit(source);
  return module;
}

const readModules = (tree: Tree, folders: RegExp): Map<string, Module> =>
  new Map(programs(tree, folders).map(([file, source]) => [file, readModule(tree, file, source)]));

/** The files that package.json names as doors: their exports are the public API. */
function doorsOf(tree: Tree): Set<string> {
  const paths = (tree.get('package.json') ?? '').matchAll(/"\.?\/?dist\/([^"]+?)(?:\.d\.ts|\.js)"/g);
  return new Set([...paths].map(([, path]) => `src/${String(path)}.ts`));
}

/** The types of a file that an exported statement beside their own names: callers of it may have to name them as well. */
function typesInSignatures(source: ts.SourceFile): Set<string> {
  const names = new Set<string>();
  for (const statement of source.statements) {
    if (!isExported(statement)) continue;
    const own = declaredNames(statement);
    const visit = (node: ts.Node): void => {
      if (ts.isTypeReferenceNode(node) && ts.isIdentifier(node.typeName) && !own.includes(node.typeName.text))
        names.add(node.typeName.text);
      if (!ts.isBlock(node)) ts.forEachChild(node, visit);
    };
    visit(statement);
  }
  const types = source.statements.filter(
    (node) => ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node),
  );
  return new Set(types.flatMap((node) => declaredNames(node)).filter((name) => names.has(name)));
}

/**
 * An export of `src` that no other file imports and no door of the package offers. A type that an exported signature of its
 * file names is no violation.
 */
export function unusedExports(tree: Tree): Finding[] {
  const modules = readModules(tree, /^(src|test|bench|scripts|examples)\//);
  const used = new Map<string, Set<string>>();
  const use = (file: string, name: string): void => {
    const names = used.get(file) ?? new Set<string>();
    if (names.has(name)) return;
    used.set(file, names.add(name));
    for (const from of modules.get(file)?.forwards ?? []) use(from, name);
  };
  const useAll = (file: string): void => {
    const module = modules.get(file);
    for (const name of module?.exports.keys() ?? []) use(file, name);
    for (const from of module?.forwards ?? []) useAll(from);
  };
  for (const door of doorsOf(tree)) useAll(door);
  for (const { imports } of modules.values())
    for (const { from, names } of imports) {
      if (names === 'all') useAll(from);
      else for (const name of names) use(from, name);
    }
  return programs(tree, /^src\//).flatMap(([file, source]) => {
    const inSignatures = typesInSignatures(source);
    return [...(modules.get(file)?.exports ?? [])]
      .filter(([name]) => !(used.get(file)?.has(name) ?? false) && !inSignatures.has(name))
      .map(([name, line]) => ({ file, line, says: `nobody imports ${name}` }));
  });
}

/** Files of `src` that import one another in a circle. Type imports count: a circle of types is one too. */
export function circles(tree: Tree): Finding[] {
  const modules = readModules(tree, /^src\//);
  const index = new Map<string, number>();
  const low = new Map<string, number>();
  const stack: string[] = [];
  const findings: Finding[] = [];
  const visit = (file: string): void => {
    index.set(file, index.size);
    low.set(file, index.size - 1);
    stack.push(file);
    for (const { from } of modules.get(file)?.imports ?? []) {
      if (!index.has(from)) visit(from);
      else if (!stack.includes(from)) continue;
      low.set(file, Math.min(low.get(file) ?? 0, low.get(from) ?? 0));
    }
    if (low.get(file) !== index.get(file)) return;
    const circle = stack.splice(stack.indexOf(file));
    if (circle.length > 1) findings.push({ file, line: 1, says: `a circle: ${circle.join(', ')}` });
  };
  for (const file of modules.keys()) if (!index.has(file)) visit(file);
  return findings;
}

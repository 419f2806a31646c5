import ts from 'typescript';
import { lineOf, linesOf, programs, type Finding, type Tree } from './tree.js';

export const FILE_LINES_MAX = 400;
export const FUNCTION_LINES_MAX = 70;

/** Lines inside literals that hold data: objects and arrays without a statement inside. */
function dataLines(node: ts.Node): number {
  if (ts.isObjectLiteralExpression(node) || ts.isArrayLiteralExpression(node)) {
    if (!hasBlock(node)) return linesOf(node);
  }
  let lines = 0;
  ts.forEachChild(node, (child) => {
    lines += dataLines(child);
  });
  return lines;
}

const hasBlock = (node: ts.Node): boolean =>
  ts.isBlock(node) || (ts.forEachChild(node, (child) => hasBlock(child) || undefined) ?? false);
const isTable = (node: ts.Node, lines: number): boolean => dataLines(node) * 2 > lines;

/** Files and functions that one person can hold in mind. A file or function that is mostly a data literal may be longer. */
export function tooLong(tree: Tree): Finding[] {
  const findings: Finding[] = [];
  for (const [file, source] of programs(tree, /^(src|test|bench|scripts|examples)\//)) {
    const lines = source.text.trimEnd().split('\n').length;
    if (lines > FILE_LINES_MAX && !isTable(source, lines))
      findings.push({ file, line: 1, says: `${String(lines)} lines, at most ${String(FILE_LINES_MAX)}` });
    if (!file.startsWith('src/')) continue;
    const visit = (node: ts.Node): void => {
      if (ts.isFunctionLike(node) && linesOf(node) > FUNCTION_LINES_MAX && !isTable(node, linesOf(node)))
        findings.push({
          file,
          line: lineOf(node),
          says: `a function of ${String(linesOf(node))} lines, at most ${String(FUNCTION_LINES_MAX)}`,
        });
      ts.forEachChild(node, visit);
    };
    visit(source);
  }
  return findings;
}

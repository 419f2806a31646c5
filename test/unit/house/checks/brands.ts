import ts from 'typescript';
import { lineOf, programs, type Finding, type Tree } from './tree.js';

const BRANDS: Readonly<Record<string, string>> = {
  groupId: 'GroupId',
  memberId: 'MemberId',
  replicaId: 'ReplicaId',
  shardId: 'ShardId',
  slot: 'Slot',
  generation: 'Generation',
  token: 'FenceToken',
};
const CORE = /^src\/(paxos|groups|topics|registers|machine|replica|storage|transport)\//;

/** A timer has a token as well, which is no fence token: it stands beside the timer or its duration. */
const isOfTimer = (node: ts.ParameterDeclaration | ts.PropertySignature): boolean =>
  ts.isTypeLiteralNode(node.parent) &&
  node.parent.members.some(
    ({ name }) => name !== undefined && ts.isIdentifier(name) && /^timer$|Ms$/.test(name.text),
  );
const isBare = (type: ts.TypeNode | undefined): boolean =>
  type !== undefined && [ts.SyntaxKind.StringKeyword, ts.SyntaxKind.NumberKeyword].includes(type.kind);

/** Parameters and properties of exported signatures of the core rooms that have a brand and do not use it. */
export function bareIds(tree: Tree): Finding[] {
  const findings: Finding[] = [];
  for (const [file, source] of programs(tree, CORE)) {
    const visit = (node: ts.Node): void => {
      if ((ts.isParameter(node) || ts.isPropertySignature(node)) && ts.isIdentifier(node.name)) {
        const brand = Object.hasOwn(BRANDS, node.name.text) ? BRANDS[node.name.text] : undefined;
        if (brand !== undefined && isBare(node.type) && !(brand === 'FenceToken' && isOfTimer(node)))
          findings.push({ file, line: lineOf(node), says: `${node.name.text} is a ${brand}` });
      }
      if (!ts.isBlock(node)) ts.forEachChild(node, visit);
    };
    for (const node of source.statements)
      if (
        ts.canHaveModifiers(node) &&
        ts.getModifiers(node)?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword)
      )
        visit(node);
  }
  return findings;
}

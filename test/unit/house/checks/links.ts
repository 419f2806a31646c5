import { dirname, join, normalize } from 'node:path';
import { type Finding, type Tree } from './tree.js';

const PATH = /^(?:src|docs|test|examples|bench|scripts)\/[\w./-]+$|^[\w.-]+(?:\/[\w.-]+)+\.(?:ts|js|md|sh)$/;

/** The anchor that a forge makes of a heading. */
const slug = (heading: string): string =>
  heading
    .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replaceAll(' ', '-');

function proseOf(text: string): string[] {
  let fenced = false;
  return text.split('\n').map((line) => {
    if (/^\s*```/.test(line)) {
      fenced = !fenced;
      return '';
    }
    return fenced ? '' : line;
  });
}

const anchorsOf = (text: string): string[] =>
  proseOf(text).flatMap((line) => (/^#+ /.test(line) ? [slug(line.replace(/^#+ /, ''))] : []));

const exists = (tree: Tree, path: string): boolean =>
  tree.has(path) || path === '.' || [...tree.keys()].some((file) => file.startsWith(`${path}/`));

/** Links of Markdown files that lead nowhere, and paths in prose that are no links. */
export function brokenLinks(tree: Tree): Finding[] {
  const findings: Finding[] = [];
  for (const [file, text] of tree) {
    if (!file.endsWith('.md')) continue;
    for (const [at, line] of proseOf(text).entries()) {
      for (const [, target = ''] of line.replace(/`[^`]*`/g, '`').matchAll(/\]\(([^)\s]+)\)/g)) {
        if (/^[a-z]+:/.test(target)) continue;
        const [path = '', anchor] = target.split('#');
        const found = path === '' ? file : normalize(join(dirname(file), path)).replace(/\/$/, '');
        if (!exists(tree, found))
          findings.push({ file, line: at + 1, says: `the link ${target} leads nowhere` });
        else if (anchor !== undefined && !anchorsOf(tree.get(found) ?? '').includes(anchor))
          findings.push({ file, line: at + 1, says: `${found} has no heading #${anchor}` });
      }
      for (const [, code = ''] of line.replace(/\[[^\]]*\]\([^)]*\)/g, '').matchAll(/`([^`]+)`/g))
        if (PATH.test(code) && !code.startsWith('quorate/'))
          findings.push({ file, line: at + 1, says: `the path ${code} is no link` });
    }
  }
  return findings;
}

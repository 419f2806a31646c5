import { bareIds } from './brands.js';
import { brokenLinks } from './links.js';
import { circles, unusedExports } from './modules.js';
import { tooLong } from './sizes.js';
import { tablesThatDiffer, undocumented } from './tables.js';
import { type Finding, type Tree } from './tree.js';

export { readTree, type Finding, type Tree } from './tree.js';

/** The rules of the house by name. */
export const RULES = {
  sizes: tooLong,
  'unused exports': unusedExports,
  circles,
  'branded ids': bareIds,
  links: brokenLinks,
  tables: tablesThatDiffer,
  documented: undocumented,
} as const satisfies Record<string, (tree: Tree) => Finding[]>;

// npm run docs:mutants: writes the record of the hunts into docs/proof.md.
import { readFileSync, writeFileSync } from 'node:fs';
import { withTableOfHunts } from './hunts.js';

const PAGE = 'docs/proof.md';
writeFileSync(PAGE, withTableOfHunts(readFileSync(PAGE, 'utf8')));

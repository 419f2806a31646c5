// npm run docs:differences: writes docs/differences.md from the list of differences on purpose.
import { writeFileSync } from 'node:fs';
import { differencesPage } from '../test/compare/page.ts';

writeFileSync('docs/differences.md', differencesPage());

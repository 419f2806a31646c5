// npm run docs:settings: writes docs/settings.md from the table of settings.
import { writeFileSync } from 'node:fs';
import { settingsPage } from '../dist/app/index.js';

writeFileSync(new URL('../docs/settings.md', import.meta.url), settingsPage());

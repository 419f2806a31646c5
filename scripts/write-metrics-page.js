// npm run docs:metrics: writes docs/metrics.md from the tables of metrics.
import { writeFileSync } from 'node:fs';
import { metricsPage } from '../dist/admin/index.js';

writeFileSync(new URL('../docs/metrics.md', import.meta.url), metricsPage());

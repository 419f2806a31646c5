import { describe, expect, it } from '@jest/globals';
import { readdirSync, readFileSync } from 'node:fs';

const DIRECTORY = 'examples/adapters';

describe('docs/orms.md', () => {
  const page = readFileSync('docs/orms.md', 'utf8');

  it.each(readdirSync(DIRECTORY))('has the very text of %s, which is what the tests run', (file) => {
    const text = readFileSync(`${DIRECTORY}/${file}`, 'utf8');
    expect(page.split('```ts\n').map((block) => block.split('```')[0])).toContain(text);
  });
});

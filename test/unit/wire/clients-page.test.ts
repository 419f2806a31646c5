import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { capturedFrom } from './fixtures.js';
import { linesOf, tableOf } from './pages.js';

const ROOT = new URL('../../../', import.meta.url);
const CAPTURED = [
  ['kafkajs', 'kafkajs 2.2.4'],
  ['kcat', 'librdkafka 2.0.2 (kcat)'],
  ['librdkafka', 'librdkafka 2.16.0'],
  ['platformatic', '@platformatic/kafka 1.35.0'],
] as const;

const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/[^\w -]/g, '')
    .replaceAll(' ', '-');

function headings(level: string): readonly string[] {
  return linesOf('clients.md')
    .filter((line) => line.startsWith(`${level} `))
    .map((line) => anchorOf(line.slice(level.length + 1)));
}

/** Every place below a folder that names a heading of the page. */
function citationsIn(folder: string): readonly string[] {
  return readdirSync(new URL(folder, ROOT), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .flatMap((file) => [
      ...readFileSync(new URL(`${folder}${file}`, ROOT), 'utf8').matchAll(/docs\/clients\.md#([\w-]+)/g),
    ])
    .map(([, anchor]) => anchor!);
}

describe('docs/clients.md', () => {
  it('has the versions that were captured, API by API', () => {
    const rows = tableOf(['API', ...CAPTURED.map(([, title]) => title)], 'clients.md');
    const versions = CAPTURED.map(([client]) => {
      const byApi = new Map<string, Set<number>>();
      for (const { api, version } of capturedFrom(client))
        byApi.set(api.name, (byApi.get(api.name) ?? new Set()).add(version));
      return byApi;
    });
    const names = new Set(versions.flatMap((byApi) => [...byApi.keys()]));
    expect(rows.map(([name]) => name).sort()).toEqual([...names].sort());
    for (const [name, ...cells] of rows)
      expect([name, ...cells]).toEqual([
        name,
        ...versions.map((byApi) => [...(byApi.get(name!) ?? [])].join(', ')),
      ]);
  });

  it('has every heading that the code cites', () => {
    const cited = [...citationsIn('src/'), ...citationsIn('test/')];
    const known = [...headings('##'), ...headings('###')];
    expect(cited.length).toBeGreaterThan(15);
    expect(cited.filter((anchor) => !known.includes(anchor))).toEqual([]);
  });

  it('has a test among the pitfalls for every answer', () => {
    const tests = ['pitfalls.test.ts', 'pitfalls-membership.test.ts', 'pitfalls-topics.test.ts']
      .map((file) => readFileSync(new URL(`test/unit/broker/${file}`, ROOT), 'utf8'))
      .join('');
    const tested = new Set([...tests.matchAll(/it\('#([\w-]+): /g)].map(([, anchor]) => anchor));
    expect([...headings('###')].sort()).toEqual([...tested].sort());
  });
});

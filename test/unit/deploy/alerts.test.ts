import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { parse } from 'yaml';
import { ROOT } from '../../harness/cluster.js';

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string; readonly runbook_url: string };
}

const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8');
const { groups } = parse(read('docker/prometheus/quorate.rules.yaml')) as {
  readonly groups: readonly { readonly rules: readonly Rule[] }[];
};
const rules = groups.flatMap((group) => group.rules);
const metrics = new Set(
  [...read('docs/metrics.md').matchAll(/^\| `(quorate_\w+)` \|/gm)].map(([, name]) => name!),
);

describe('the alert rules for Prometheus', () => {
  it.each(rules.map((rule) => [rule.alert, rule] as const))(
    '%s asks for metrics that there are',
    (_, { expr }) => {
      const asked = expr.match(/quorate_\w+/g) ?? [];
      expect(asked.length + (expr.match(/\bup\{/g) ?? []).length).toBeGreaterThan(0);
      for (const name of asked) expect(metrics).toContain(name);
    },
  );

  it('each say how grave it is and link to what to do about it', () => {
    const page = read('docs/operations.md');
    for (const { alert, labels, annotations } of rules) {
      expect(['warning', 'critical']).toContain(labels.severity);
      expect(annotations.summary).toMatch(/\.$/);
      expect(annotations.runbook_url).toBe(`docs/operations.md#${alert.toLowerCase()}`);
      expect(page).toContain(`\n### ${alert}\n`);
    }
  });

  it('are all that the page tells of', () => {
    const [, alerts = ''] = read('docs/operations.md').split('\n## Alerts\n');
    const told = [...alerts.matchAll(/^### (\w+)$/gm)].map(([, name]) => name);
    expect([...told].sort()).toEqual(rules.map(({ alert }) => alert).sort());
  });
});

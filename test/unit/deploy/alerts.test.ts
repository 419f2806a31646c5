import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { parse } from 'yaml';
import { METRICS } from '../../../src/admin/metrics/registry.js';
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
/** A histogram is asked for by its parts. */
const metrics = new Set<string>(
  METRICS.flatMap(({ kind, name }) =>
    kind === 'histogram' ? ['bucket', 'sum', 'count'].map((part) => `${name}_${part}`) : [name],
  ),
);
const namesIn = (query: string): readonly string[] =>
  query.replaceAll(/"[^"]*"/g, '').match(/quorate_\w+/g) ?? [];

describe('the alert rules for Prometheus', () => {
  it.each(rules.map((rule) => [rule.alert, rule] as const))(
    '%s asks for metrics that there are',
    (_, { expr }) => {
      const asked = namesIn(expr);
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

describe('the dashboard for Grafana', () => {
  interface Panel {
    readonly id: number;
    readonly title: string;
    readonly type: string;
    readonly description?: string;
    readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
    readonly targets?: readonly { readonly expr: string }[];
  }
  const { panels, templating } = JSON.parse(read('docker/grafana/quorate.json')) as {
    readonly panels: readonly Panel[];
    readonly templating: { readonly list: readonly { readonly name: string; readonly query?: string }[] };
  };
  const asking = panels.filter(({ type }) => type !== 'row');

  it.each(asking.map((panel) => [panel.title, panel] as const))(
    '%s asks for metrics that there are',
    (_, panel) => {
      expect(panel.targets?.length).toBeGreaterThan(0);
      expect(panel.description).toMatch(/\.$/);
      for (const { expr } of panel.targets ?? []) {
        expect(namesIn(expr).length).toBeGreaterThan(0);
        for (const name of namesIn(expr)) expect(metrics).toContain(name);
      }
    },
  );

  it('shows every metric that there is', () => {
    const shown = new Set(asking.flatMap(({ targets = [] }) => targets.flatMap(({ expr }) => namesIn(expr))));
    const whole = (name: string): boolean =>
      ['', '_bucket', '_sum', '_count'].some((part) => shown.has(`${name}${part}`));
    expect(METRICS.map(({ name }) => name).filter((name) => !whole(name))).toEqual([]);
  });

  it('has a place of its own for each panel', () => {
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, i) => `${x + (i % w)},${y + Math.floor(i / w)}`),
    );
    expect(new Set(cells).size).toBe(cells.length);
    for (const { gridPos } of panels) expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24);
    expect(templating.list.map(({ name }) => name)).toContain('datasource');
  });
});

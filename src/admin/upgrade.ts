import type { AdminSource } from './port.js';
import type { UpgradeJson } from './shapes.js';

/** What the body of a request asks for, or what is wrong with it. */
export function upgradeOf(
  body: unknown,
): { readonly level: number | undefined; readonly execute: boolean } | string {
  const wrong =
    'Send JSON such as {"execute": true}; "level" says which level, and is the highest that any replica knows without it.';
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return wrong;
  const { level, execute = false, ...rest } = body as Record<string, unknown>;
  if (typeof execute !== 'boolean' || Object.keys(rest).length > 0) return wrong;
  if (level !== undefined && !(Number.isSafeInteger(level) && (level as number) > 0)) return wrong;
  return { level: level as number | undefined, execute };
}

/** `level`: what the cluster is to use; by default the highest that any replica knows. */
export function upgrade(
  source: Pick<AdminSource, 'self' | 'status'>,
  level?: number,
): Omit<UpgradeJson, 'executed'> {
  const { peers, featureLevel, featureLevelUsed: used } = source.status();
  const replicas = [
    { id: source.self as number, up: true, featureLevel },
    ...peers.map(({ id, up, featureLevel: known }) => ({ id, up, featureLevel: known ?? null })),
  ].sort((a, b) => a.id - b.id);
  const target = level ?? Math.max(...replicas.map(({ featureLevel: known }) => known ?? 0));
  const problems = target === used ? [] : problemsWith(target, used, replicas);
  return { used, target, replicas, problems };
}

function problemsWith(target: number, used: number, replicas: UpgradeJson['replicas']): readonly string[] {
  if (target < used)
    return [`the cluster uses feature level ${used} already: there is no way back to ${target}`];
  return replicas.flatMap(({ id, up, featureLevel }) => {
    if (!up)
      return [
        `replica ${id} is down, and may come back as an older version: bring it up, or remove it (quorate replicas)`,
      ];
    if (featureLevel !== null && featureLevel >= target) return [];
    return [
      `replica ${id} knows feature level ${featureLevel ?? 1}: upgrade it to a version that knows ${target}`,
    ];
  });
}

import type { StatusJson } from '../admin/index.js';
import type { Finding } from './finding.js';
import { replicas } from './words.js';

/** What differs between replicas, or does not fit within one. */

export function differentSettings(answered: readonly StatusJson[]): readonly Finding[] {
  const names = [...new Set(answered.flatMap(({ settings }) => Object.keys(settings)))];
  return names.flatMap((name) => {
    const values = new Map<string, number[]>();
    for (const { replica, settings } of answered) {
      // Of another version, it has none.
      if (settings[name] === undefined) continue;
      const value = String(settings[name]);
      values.set(value, [...(values.get(value) ?? []), replica]);
    }
    if (values.size < 2) return [];
    const who = [...values].map(([value, ids]) => `${value} at ${replicas(ids)}`);
    return [
      {
        severity: 'warning' as const,
        replica: null,
        what: `${name} differs: ${who.join(', ')}.`,
        then: 'Give all replicas the same, and restart them one after the other: the one that leads a shard applies its own.',
        see: 'docs/settings.md',
      },
    ];
  });
}

/** Of replicas that were started alike each is said once. */
export function advice(answered: readonly StatusJson[]): readonly Finding[] {
  return [...new Set(answered.flatMap(({ settingsAdvice }) => settingsAdvice))].map((text) => {
    const ids = answered
      .filter(({ settingsAdvice }) => settingsAdvice.includes(text))
      .map(({ replica }) => replica);
    return {
      severity: 'warning',
      replica: ids.length === 1 ? ids[0]! : null,
      what: `Settings of ${replicas(ids)} do not fit together: ${text}`,
      then: 'Change them, and restart one replica after the other.',
      see: 'docs/settings.md',
    };
  });
}

export function versions(answered: readonly StatusJson[]): readonly Finding[] {
  const found = [...new Set(answered.map(({ version }) => version))];
  const levels = [...new Set(answered.map(({ featureLevel }) => featureLevel.own))];
  const behind = answered.filter(({ featureLevel }) => featureLevel.used < featureLevel.own);
  if (found.length < 2 && levels.length < 2 && behind.length === 0) return [];
  const who = answered.map(
    ({ replica, version, featureLevel }) =>
      `replica ${replica} is ${version} (feature level ${featureLevel.own})`,
  );
  const { all, used } = (behind[0] ?? answered[0]!).featureLevel;
  const ready = levels.length === 1 && all > used;
  return [
    {
      severity: 'note',
      replica: null,
      what: `An upgrade is under way: ${who.join(', ')}; the cluster uses level ${used}.`,
      then: ready
        ? 'Every replica knows more than is used. Until you run quorate upgrade --execute you can go back; from then on what is new is used.'
        : 'Finish it: upgrade the others. Until you run quorate upgrade --execute you can go back.',
      see: 'docs/compatibility.md#upgrade-and-roll-back',
    },
  ];
}

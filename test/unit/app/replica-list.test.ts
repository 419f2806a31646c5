import { hostname } from 'node:os';
import { describe, expect, it } from '@jest/globals';
import { checkSettings, ConfigurationError } from '../../../src/app/index.js';
import { ordinalOf } from '../../../src/app/replica-list.js';

const REST = { QUORATE_CLUSTER_ID: 'pJ0m3vVZQ5mB1yNwq0c9Tg' };
const PORTS = { peerPort: 9192, kafkaPort: 9092, httpPort: 8080 };

const settingsOf = (environment: Record<string, string>) =>
  checkSettings({}, { ...REST, ...environment }).settings;

describe('replicas from the environment alone', () => {
  it('are JSON, or host names that say their ids', () => {
    const given = {
      QUORATE_REPLICA_ID: '2',
      QUORATE_REPLICAS: '1@10.0.0.1, 2@fd00::2,7@db.internal,8@[fd00::8]',
    };
    expect(settingsOf(given).replicas).toEqual([
      { id: 1, host: '10.0.0.1', ...PORTS },
      { id: 2, host: 'fd00::2', ...PORTS },
      { id: 7, host: 'db.internal', ...PORTS },
      { id: 8, host: 'fd00::8', ...PORTS },
    ]);
    const json = JSON.stringify([{ id: 2, host: '[fd00::2]', peerPort: 1, kafkaPort: 2 }]);
    expect(settingsOf({ QUORATE_REPLICA_ID: '2', QUORATE_REPLICAS: json }).replicas).toEqual([
      { id: 2, host: 'fd00::2', peerPort: 1, kafkaPort: 2 },
    ]);
  });

  it('take their ids from the numbers at the end of the names, as a StatefulSet counts', () => {
    const list = [0, 1, 2].map((id) => `quorate-${id}.quorate.default.svc`).join(',');
    const { replicas } = settingsOf({ QUORATE_REPLICA_ID: '0', QUORATE_REPLICAS: list });
    expect(replicas.map(({ id, host }) => [id, host])).toEqual([
      [0, 'quorate-0.quorate.default.svc'],
      [1, 'quorate-1.quorate.default.svc'],
      [2, 'quorate-2.quorate.default.svc'],
    ]);
  });

  it.each(['a,b', '1@', '1@a,,2@b', 'x@a', '1@a 2@b', '[1@a]'])('refuse %s and show both forms', (list) => {
    const given = { QUORATE_REPLICA_ID: '1', QUORATE_REPLICAS: list };
    expect(() => settingsOf(given)).toThrow(ConfigurationError);
    expect(() => settingsOf(given)).toThrow(/QUORATE_REPLICAS.*1@10\.0\.0\.1/s);
  });

  it('know which of them this is by the host name, or say that it has no number', () => {
    const own = ordinalOf(hostname());
    const given = { QUORATE_REPLICA_ID: 'hostname', QUORATE_REPLICAS: `${own ?? 1}@a` };
    if (own === undefined)
      expect(() => settingsOf(given)).toThrow(/replicaId is "hostname".*quorate-2 is 2/s);
    else expect(settingsOf(given).replicaId).toBe(own);
  });

  it.each([
    ['quorate-2', 2],
    ['quorate-12.quorate.svc', 12],
    ['quorate', undefined],
    ['a.quorate-2', undefined],
    ['10.0.0.1', undefined],
    ['db-7x', undefined],
  ])('the number at the end of %s is %s', (host, ordinal) => expect(ordinalOf(host)).toBe(ordinal));
});

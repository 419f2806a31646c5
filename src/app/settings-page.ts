import { presetOf } from './configuration.js';
import { environmentName, SETTING_NAMES, SETTINGS } from './settings.js';
import type { Setting } from './setting-kinds.js';

/** docs/settings.md, from the table. */
export function settingsPage(): string {
  const rows = SETTING_NAMES.map((name) => {
    const setting: Setting<unknown> = SETTINGS[name];
    const preset =
      setting.presetText ?? (setting.preset === undefined ? 'must be given' : `\`${presetOf(setting)}\``);
    const cells = [
      `\`${name}\``,
      setting.unit,
      preset,
      setting.accepts,
      setting.help,
      `\`${environmentName(name)}\``,
    ];
    return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  });
  return `# Settings

<!-- Made from the table in src/app/settings.ts by \`npm run docs:settings\`; a test fails when the two part. -->

A replica reads its settings from a JSON file (\`quorate start --config FILE\`) and from the environment; a variable goes
before the file, the file before the default. All are checked at start: a wrong one names itself and what to give
instead, all wrong ones are listed together, and the process exits with code 2. A name that is no setting is refused in
a file and warned of in the environment.

\`npm start\` writes such files for its three replicas: look at \`data/replica-1.json\` for an example.

\`\`\`json
{
  "replicaId": 1,
  "clusterId": "pJ0m3vVZQ5mB1yNwq0c9Tg",
  "dataDir": "/var/lib/quorate",
  "replicas": [
    { "id": 1, "host": "10.0.0.1", "peerPort": 9192, "kafkaPort": 9092, "httpPort": 8080 },
    { "id": 2, "host": "10.0.0.2", "peerPort": 9192, "kafkaPort": 9092, "httpPort": 8080 },
    { "id": 3, "host": "10.0.0.3", "peerPort": 9192, "kafkaPort": 9092, "httpPort": 8080 }
  ]
}
\`\`\`

| setting | unit | default | takes | what it does | environment |
|---|---|---|---|---|---|
${rows.join('\n')}

The settings of groups (\`sessionTimeoutMsMin\` to \`rebalanceRecordsMax\`) and of topics should be the same on every
replica: the one that leads a shard applies its own. \`replicas\`, \`clusterId\` and \`shards\` must be the same.
`;
}

import { DIFFERENCES } from './differences.js';
import { COMPARABLE_SETTINGS, PEER_PROPERTIES } from './settings.js';

/** docs/differences.md. */
export function differencesPage(): string {
  const rows = (met: boolean): string =>
    DIFFERENCES.filter(({ explains }) => (explains !== undefined) === met)
      .map(({ id, kafka, quorate, why }) => `| ${id} | ${kafka} | ${quorate} | ${why} |`)
      .join('\n');
  const heading = '| what | Kafka | Quorate | why |\n|---|---|---|---|';
  const settings = JSON.stringify(COMPARABLE_SETTINGS).slice(1, -1).replaceAll('"', '');
  const properties = Object.entries(PEER_PROPERTIES).map(([name, value]) => `${name}=${value}`);
  return `# Differences from Kafka

\`npm run docs:differences\` writes this page from [the list](../test/compare/differences.ts) by which answers are compared.

\`npm run compare -- --peer HOST:PORT\` sends seeded sequences of group requests to a Kafka and to a replica that it starts, and
compares the answers field by field, with ids named alike and times ignored: members that come, go, restart under an
instance id, fall silent; commits, fetches, deletions; old and future generations, unknown members, odd names; all versions
that both speak. A sequence with a difference is sent again, alone, and counts when it differs each time. \`--seed\` and
\`--sequences\` choose what is sent, \`--show\` prints it. [Recorded sequences](../test/recorded/kafka-4.3.1), with the answers of
Kafka 4.3.1, are sent in every run of the tests ([test](../test/system/kafka-answers.test.ts)).

## On purpose, in the answers

${heading}
${rows(true)}

## On purpose, elsewhere

A setting turns these off in the comparison, or no sequence shows them. Quorate's settings there: \`${settings.replaceAll(':', ': ').replaceAll(',', ', ')}\`.

${heading}
${rows(false)}

[Groups](groups.md#what-differs-from-kafka-and-why) and [the wire](wire.md#what-differs-from-kafka-on-purpose) have more.

## A Kafka to compare with

One network thread and one request thread, so that it deals with requests in the order in which they are sent. The other
properties make time short and limits small.

\`\`\`properties
${properties.join('\n')}
\`\`\`
`;
}

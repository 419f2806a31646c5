// npm run docs:errors: writes docs/errors.md from the error table of the wire.
import { writeFileSync } from 'node:fs';
import { ERRORS } from '../src/wire/errors.ts';

const rows = ERRORS.map(
  ({ code, name, retriable, when, whatToDo }) =>
    `| ${code} | \`${name}\` | ${retriable ? 'yes' : 'no'} | ${when} | ${whatToDo} |`,
);
const page = `# Errors

## Of Kafka's protocol

\`npm run docs:errors\` writes this page from the [error table](../src/wire/errors.ts). "Retriable": the same request may succeed
later.

| code | name | retriable | when | what to do |
|---|---|---|---|---|
${rows.join('\n')}

## Of the locking library

[locking.md](locking.md) has the model. Further errors:

| error | when |
|---|---|
| \`UnmergeableError\` | A merge function refused to merge two versions of a record. |
| \`CannotConfirmError\` | The server cannot confirm writes as \`confirm\` asks. Nothing was written. |
| \`CrossSlotError\` | The keys of one transaction have different hash tags. Nothing was sent. |
| \`RequestRefusedError\` | A replica refused a request. Nothing happened, and a retry would change nothing. |
`;
writeFileSync(new URL('../docs/errors.md', import.meta.url), page);

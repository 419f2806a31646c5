import type { Command } from 'commander';
import { type AdminClient, AdminClientError, type DrainingJson } from '../admin/index.js';
import {
  type Ask,
  type CliSurroundings,
  type Common,
  groupPath,
  membersQuery,
  withCommonOptions,
  withMembers,
  type WhoOptions,
} from './ask.js';

const AGAIN_MS = 500;
/** What `--json` prints. */
interface DrainedJson {
  readonly group: string;
  readonly drained: readonly string[];
  /** They have not left in time. */
  readonly left: DrainingJson['members'];
}

/** Asks members to drain and leave, until they have. */
export function addDrain(groups: Command, ask: Ask, fail: CliSurroundings['fail']): void {
  const command = groups
    .command('drain')
    .description('let members finish what they do, commit and leave; for workers of quorate/worker')
    .option('--timeout-ms <ms>', 'how long to wait for them', '60000');
  withCommonOptions(withMembers(command)).action(
    async (group: string, members: readonly string[], _options: WhoOptions, self: Command) => {
      const options = self.optsWithGlobals<WhoOptions & Common & { readonly timeoutMs: string }>();
      const query = membersQuery(members, options);
      if (query === undefined) return fail('name members, or --instance, or --all', 2);
      const timeoutMs = Number(options.timeoutMs);
      if (!Number.isInteger(timeoutMs) || timeoutMs < 0)
        return fail(`--timeout-ms takes an integer, not "${options.timeoutMs}"`, 2);
      let answer: DrainedJson | undefined;
      await ask(
        options,
        async (admin) => (answer = await drained(admin, group, query, timeoutMs)),
        ({ drained: done }) => `${done.length} members have drained and left`,
      );
      if (answer === undefined || answer.left.length === 0) return;
      const who = answer.left.map(({ memberId, clientId }) => `${memberId} (client ${clientId})`).join(', ');
      fail(
        `${who} did not leave within ${timeoutMs} ms. Only workers of quorate/worker drain when they are told to: stop the processes of others, or take their partitions away with "quorate groups evict".`,
        1,
      );
    },
  );
}

async function drained(
  admin: AdminClient,
  group: string,
  query: readonly (readonly [string, string])[],
  timeoutMs: number,
): Promise<DrainedJson> {
  const until = performance.now() + timeoutMs;
  const asked = new Set<string>();
  for (let isFirst = true; ; isFirst = false) {
    const { members: left } = await admin
      .request<DrainingJson>('POST', groupPath(group, '/members/drain', query))
      .catch((error: unknown): DrainingJson => {
        // The last of those who were named has left, and maybe the group with it.
        if (isFirst || !(error instanceof AdminClientError) || error.status !== 404) throw error;
        return { group, members: [] };
      });
    if (isFirst && left.length === 0 && !query.some(([name]) => name === 'all'))
      throw new AdminClientError(
        `the group ${group} has none of these members: "quorate groups members ${group}" lists them`,
        404,
      );
    for (const { memberId } of left) asked.add(memberId);
    const names = new Set(left.map(({ memberId }) => memberId));
    if (left.length === 0 || performance.now() >= until)
      return { group, drained: [...asked].filter((id) => !names.has(id)), left };
    await new Promise((resume) => setTimeout(resume, AGAIN_MS));
  }
}

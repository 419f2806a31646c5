import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Cluster, ROOT } from '../harness/cluster.js';
import { addressText } from '../harness/connection.js';
import { eventually } from '../harness/waiting.js';
import { type CommittingMember, describeWith, type Scene, shared } from './clients.js';
import { FAMILIES, type Family } from './families.js';

const TOPIC = 'tenants';
const PARTITIONS = 6;
const WITHIN_MS = 90_000;
const PAGE = join(ROOT, 'docs/clients.md');
/** WRITE_CLIENTS_TABLE=1: the table of the page is written from this run. Else it must be equal. */
const WRITES = process.env['WRITE_CLIENTS_TABLE'] === '1';
const [BEGIN, END] = ['<!-- written by a run of test/interop/families.test.ts -->', '<!-- end -->'];

describe('each family of clients', () => {
  let cluster: Cluster;
  const running: CommittingMember[] = [];

  beforeAll(async () => {
    cluster = await Cluster.start();
    await cluster.createTopic(TOPIC, PARTITIONS);
  }, 90_000);
  afterEach(async () => {
    await Promise.all(running.splice(0).map(({ child }) => child.kill()));
    await cluster.mend();
  }, 90_000);
  afterAll(() => cluster.close(), 30_000);

  /** Two share the topic, one reaches for what is not its own, the coordinator dies, one member dies. */
  async function life(family: Family, group: string): Promise<string> {
    const brokers = cluster.bootstrap.map(addressText).join(',');
    const scene: Scene = { brokers, group, topic: TOPIC };
    const begin = (name: string): CommittingMember => {
      const member = family.start(scene, name);
      running.push(member);
      return member;
    };
    const [anna, bert] = [begin('anna'), begin('bert')];
    await shared([anna, bert], [3, 3], WITHIN_MS);
    /** A commit is sent again until it is acknowledged and found: some clients resolve a commit that was refused. */
    const committed = async (member: CommittingMember, offset: number): Promise<void> => {
      const noted: unknown[] = [];
      await eventually(`${member.name} commits ${offset}`, WITHIN_MS, async () => {
        const partition = member.owned()?.[0];
        if (partition === undefined) return false;
        await member.commit(partition, offset).catch((error: unknown) => noted.push(error));
        return (await member.committed(partition).catch((error: unknown) => noted.push(error))) === offset;
      }).catch((error: unknown) => {
        throw new Error(`${String(error)}: ${noted.slice(-2).map(String).join('; ')}`);
      });
    };
    /** A member that joins again owns nothing for a moment, and a read may meet a coordinator that has moved. */
    const someOf = (member: CommittingMember): Promise<number> =>
      eventually(`${member.name} owns a partition`, WITHIN_MS, () => member.owned()?.[0]);
    const read = (member: CommittingMember, partition: number): Promise<number> =>
      eventually(`${member.name} reads ${partition}`, WITHIN_MS, () =>
        member.committed(partition).catch(() => undefined),
      );
    await committed(anna, 41);
    const refusal = await eventually('a commit meets no rebalance', WITHIN_MS, async () => {
      const said = await bert.commit(await someOf(anna), 7).then(
        () => 'no error',
        (error: Error) => `\`${told(error)}\``,
      );
      return !/rebalance/i.test(said) && said;
    });
    await shared([anna, bert], [3, 3], WITHIN_MS);
    await committed(bert, 42);
    expect(await read(anna, await someOf(anna))).not.toBe(7);

    await cluster.kill(await cluster.leaderOf(group));
    await committed(anna, 43);
    await shared([anna, bert], [3, 3], WITHIN_MS);
    await committed(bert, 44);

    const taken = await someOf(bert);
    await bert.child.kill();
    await shared([anna], [PARTITIONS], WITHIN_MS);
    expect(await read(anna, taken)).toBe(44);
    await anna.leave();
    return `| ${family.title} | ${family.assignor} | yes | yes | yes | ${refusal} |`;
  }

  for (const [index, family] of FAMILIES.entries()) {
    describeWith([family], `${family.title}, ${family.assignor}`, () => {
      it('shares, commits, outlives its coordinator, takes over', async () => {
        checkRow(await life(family, `family-${index}`));
      }, 400_000);
    });
  }
});

/** The row of a client in the page: written, or compared with what this run saw. */
function checkRow(row: string): void {
  const page = readFileSync(PAGE, 'utf8');
  const [before, rest] = page.split(BEGIN);
  const [table, after] = rest!.split(END);
  const name = row.split('|', 3).join('|');
  const rows = table!.split('\n').filter((line) => line.startsWith('|'));
  if (!WRITES) return expect(rows.filter((line) => line.startsWith(name))).toEqual([row]);
  const others = rows.filter((line) => !line.startsWith(name));
  writeFileSync(PAGE, `${before}${BEGIN}\n\n${[...others, row].join('\n')}\n\n${END}${after}`);
}

/** What a member said of an error: its class, or the code of the protocol. */
function told(error: Error): string {
  const said = /\{.*\}/.exec(error.message)?.[0];
  return said === undefined ? error.message : (JSON.parse(said) as { readonly error: string }).error;
}

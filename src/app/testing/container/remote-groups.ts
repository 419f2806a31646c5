import { AdminClient, AdminClientError } from '../../../admin/index.js';
import type {
  FencesJson,
  GroupDetailJson,
  RemovedMembersJson,
  StatusJson,
  TopicJson,
} from '../../../admin/index.js';
import { type Owner, ownersIn, STABLE_WITHIN_MS, type StableOptions, stableText } from '../owners.js';
import { until } from './until.js';

/** Topics and groups of a cluster, over its HTTP side. */
export class RemoteGroups {
  readonly #urls: () => readonly string[];

  /** `urls`: of the replicas that can be asked now. */
  constructor(urls: () => readonly string[]) {
    this.#urls = urls;
  }

  /** A topic that is there already is fine. */
  async createTopic(name: string, partitions: number): Promise<void> {
    await this.#ask<TopicJson>('POST', '/topics', { name, partitions }).catch((error: unknown) => {
      if (!(error instanceof AdminClientError && error.status === 409)) throw error;
    });
  }

  status(): Promise<StatusJson> {
    return this.#ask('GET', '/status');
  }

  async coordinatorOf(group: string): Promise<number | undefined> {
    return (await this.#describe(group))?.group.leader ?? undefined;
  }

  waitForStable(
    group: string,
    { members, withinMs = STABLE_WITHIN_MS }: StableOptions = {},
  ): Promise<number> {
    return until(stableText(group, members), withinMs, async () => {
      const found = await this.#describe(group).catch((error: unknown) => {
        if (error instanceof AdminClientError) return undefined;
        throw error;
      });
      if (found?.group.state !== 'Stable') return undefined;
      return members === undefined || found.members.length === members ? found.group.generation : undefined;
    });
  }

  async ownersOf(group: string): Promise<Owner[]> {
    for (;;) {
      const found = await this.#describe(group);
      if (found === undefined) return [];
      const fences = await this.#ask<FencesJson>('GET', `/group/fences?${nameOf(group)}`);
      // Otherwise a rebalance came between the two answers.
      if (fences.generation === found.group.generation)
        return ownersIn(group, fences.generation, found.members, fences.fences);
    }
  }

  async bumpEpoch(group: string, clientId: string | undefined): Promise<void> {
    const members = (await this.#describe(group))?.members ?? [];
    const member = members.find((each) => clientId === undefined || each.clientId === clientId);
    if (member === undefined)
      throw new Error(
        `the group ${group} has no member${clientId === undefined ? '' : ` of client ${clientId}`}`,
      );
    const who = new URLSearchParams({ member: member.memberId });
    await this.#ask<RemovedMembersJson>('DELETE', `/group/members?${nameOf(group)}&${who.toString()}`);
  }

  #describe(group: string): Promise<GroupDetailJson | undefined> {
    return this.#ask<GroupDetailJson>('GET', `/group?${nameOf(group)}`).catch((error: unknown) => {
      if (error instanceof AdminClientError && error.status === 404) return undefined;
      throw error;
    });
  }
  #ask<T>(method: 'GET' | 'POST' | 'DELETE', path: string, body?: unknown): Promise<T> {
    const urls = this.#urls();
    if (urls.length === 0) throw new Error('no replica runs: restart one first');
    return new AdminClient(urls).request<T>(method, path, body);
  }
}

const nameOf = (group: string): string => new URLSearchParams({ id: group }).toString();

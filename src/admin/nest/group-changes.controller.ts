import { Body, Controller, Delete, HttpCode, Inject, Post, Query, UseFilters } from '@nestjs/common';
import { type GroupId, instanceId, memberId, shardId, topicName } from '../../kernel/index.js';
import { endOf, type GroupCommand, type GroupReply } from '../../machine/index.js';
import type { ForwardableCommand } from '../../replica/index.js';
import {
  commitOf,
  deletionOf,
  type OffsetChange,
  offsetOf,
  planDeletion,
  type PlanFacts,
  planOffsets,
  PlanProblem,
  planReset,
  resetTarget,
  type Selection,
  selectionOf,
} from '../offset-plans.js';
import type { AdminSource } from '../port.js';
import type { DeletedGroupJson, DrainingJson, OffsetChangesJson, RemovedMembersJson } from '../shapes.js';
import { ledHere, refused } from './fresh-view.js';
import { GroupName } from './group-name.js';
import { caughtUp } from './known.js';
import { Problem, ProblemFilter } from './problem.js';
import { ADMIN_SOURCE } from './tokens.js';

/** What an operator changes of a group. Changes of offsets are plans until `execute` is true. */
@Controller(['groups/:id', 'group'])
@UseFilters(ProblemFilter)
export class GroupChangesController {
  readonly #source: AdminSource;

  constructor(@Inject(ADMIN_SOURCE) source: AdminSource) {
    this.#source = source;
  }

  @Delete()
  @HttpCode(200)
  async deleteGroup(@GroupName() group: GroupId): Promise<DeletedGroupJson> {
    const { error } = await this.#change(group, 'delete', { kind: 'group.delete', group });
    if (error !== 'NONE') throw groupProblem(group, error);
    return { group };
  }

  /** `?member=` and `?instance=`, each as often as needed; `?all` for everybody. */
  @Delete('members')
  @HttpCode(200)
  async removeMembers(
    @GroupName() group: GroupId,
    @Query('member') member: unknown,
    @Query('instance') instance: unknown,
    @Query('all') all: string | undefined,
  ): Promise<RemovedMembersJson> {
    const members = all === undefined ? leavers(member, instance) : await this.#everybody(group);
    if (members.length === 0 && all === undefined) throw whom();
    const reply = await this.#change(group, 'leave', { kind: 'group.leave', group, members });
    const refusal = reply.members.find(({ error }) => error !== 'NONE');
    if (refusal !== undefined) {
      const who = refusal.instanceId ?? refusal.memberId;
      throw new Problem(404, refusal.error, `The group "${group}" has no member ${who}.`);
    }
    return {
      group,
      members: reply.members.map(({ memberId: id, instanceId: of }) => ({ memberId: id, instanceId: of })),
    };
  }

  /**
   * `?member=`, `?instance=` and `?all` as for removing them. Asks each to drain and leave; the answer has those that are
   * still there. The leader tells them with their heartbeats, for a few seconds: ask again until nobody is left.
   */
  @Post('members/drain')
  @HttpCode(200)
  async drain(
    @GroupName() group: GroupId,
    @Query('member') member: unknown,
    @Query('instance') instance: unknown,
    @Query('all') all: string | undefined,
  ): Promise<DrainingJson> {
    const [ids, instances] = [texts(member), texts(instance)];
    if (ids.length + instances.length === 0 && all === undefined) throw whom();
    const shard = this.#source.shardOf(group);
    await ledHere(this.#source, shard);
    const described = this.#source.view(shard).groups.describe(group);
    if (described === undefined) throw groupProblem(group, 'GROUP_ID_NOT_FOUND');
    const members = described.memberDetails.filter(
      ({ memberId: id, instanceId: name }) =>
        all !== undefined || ids.includes(id) || (name !== null && instances.includes(name)),
    );
    this.#source.drain(
      group,
      members.map((each) => each.memberId),
    );
    return {
      group,
      members: members.map(({ memberId: id, instanceId: name, clientId }) => ({
        memberId: id,
        instanceId: name,
        clientId,
      })),
    };
  }

  @Post('offsets')
  @HttpCode(200)
  async setOffsets(@GroupName() group: GroupId, @Body() body: unknown): Promise<OffsetChangesJson> {
    const wanted = (asObject(body)['offsets'] as unknown[] | undefined) ?? [];
    const example =
      'Send {"offsets": [{"topic": "tenants", "partition": 0, "offset": "1000"}], "execute": true}.';
    if (!Array.isArray(wanted) || wanted.length === 0) throw new Problem(400, 'Bad request', example);
    const offsets = wanted.map((each) => {
      const { topic, partition, offset: text } = asObject(each);
      const offset = offsetOf(text);
      if (typeof topic !== 'string' || !isPartition(partition) || offset === undefined)
        throw new Problem(400, 'Bad request', example);
      return { topic: topicName(topic), partition, offset };
    });
    const facts = await this.#facts(group);
    return this.#commit(
      group,
      planned(() => planOffsets(offsets, facts)),
      facts,
      executes(body),
    );
  }

  /** `to`: earliest, latest, an offset, or +n and -n from where it is. */
  @Post('offsets/reset')
  @HttpCode(200)
  async resetOffsets(@GroupName() group: GroupId, @Body() body: unknown): Promise<OffsetChangesJson> {
    const { to, topics } = asObject(body);
    const target = typeof to === 'string' ? resetTarget(to) : undefined;
    if (target === undefined)
      throw new Problem(
        400,
        'Bad request',
        'to is "earliest", "latest", an offset such as "1000", "+10" or "-10".',
      );
    const selections = selectionsOf(topics);
    const facts = await this.#facts(group);
    return this.#commit(
      group,
      planned(() => planReset(target, selections, facts)),
      facts,
      executes(body),
    );
  }

  /** `?topic=tenants` or `?topic=tenants:0,1`, as often as needed; all offsets without it. A plan without `?execute`. */
  @Delete('offsets')
  @HttpCode(200)
  async deleteOffsets(
    @GroupName() group: GroupId,
    @Query('topic') topics: unknown,
    @Query('execute') execute: string | undefined,
  ): Promise<OffsetChangesJson> {
    const selections = selectionsOf(typeof topics === 'string' ? [topics] : topics);
    const changes = planDeletion(selections, await this.#facts(group));
    const executed = execute !== undefined && execute !== 'false';
    if (executed && changes.length > 0) {
      const reply = await this.#change(group, 'deleteOffsets', deletionOf(group, changes));
      const partitions = reply.topics.flatMap((topic) => topic.partitions);
      const error =
        reply.error === 'NONE' ? partitions.find((each) => each.error !== 'NONE')?.error : reply.error;
      if (error !== undefined) throw groupProblem(group, error);
    }
    return changesJson(group, changes, executed);
  }

  async #commit(
    group: GroupId,
    changes: readonly OffsetChange[],
    facts: PlanFacts,
    execute: boolean,
  ): Promise<OffsetChangesJson> {
    // Told at once, also of a plan: it could not be carried out.
    const described = this.#source.view(this.#source.shardOf(group)).groups.describe(group);
    if ((described?.members ?? 0) > 0) throw groupProblem(group, 'NON_EMPTY_GROUP');
    if (execute && changes.length > 0) {
      const command = commitOf(group, changes, facts, this.#source.offsetMetadataBytesMax);
      const reply = await this.#change(group, 'commit', command);
      const error = reply.error === 'NONE' ? reply.errors.find((each) => each !== 'NONE') : reply.error;
      // Kafka's answer to a simple commit into a group with members.
      if (error !== undefined)
        throw groupProblem(group, error === 'UNKNOWN_MEMBER_ID' ? 'NON_EMPTY_GROUP' : error);
    }
    return changesJson(group, changes, execute);
  }

  async #facts(group: GroupId): Promise<PlanFacts> {
    await caughtUp(this.#source, undefined);
    const views = Array.from({ length: this.#source.shards }, (_, shard) =>
      this.#source.view(shardId(shard)),
    );
    const ends = views.map((view) => view.ends);
    return {
      topicOf: (name) => views[0]!.topics.byName(name),
      endOf: (topic, partition) => endOf(ends, topic.id, partition),
      committed: [...views[this.#source.shardOf(group)]!.groups.committedAll(group)],
    };
  }

  async #everybody(group: GroupId): Promise<Leavers> {
    const shard = this.#source.shardOf(group);
    await caughtUp(this.#source, undefined, shard);
    const described = this.#source.view(shard).groups.describe(group);
    if (described === undefined) throw groupProblem(group, 'GROUP_ID_NOT_FOUND');
    return described.memberDetails.map((member) => leaver(member.memberId, member.instanceId));
  }

  async #change<K extends GroupReply['kind']>(
    group: GroupId,
    kind: K,
    command: Extract<ForwardableCommand, GroupCommand>,
  ): Promise<Extract<GroupReply, { kind: K }>> {
    const outcome = await this.#source.change(this.#source.shardOf(group), command);
    if (outcome.kind !== 'ok') throw refused(outcome);
    if (outcome.reply.kind !== kind)
      throw new TypeError(`${command.kind} was answered with ${outcome.reply.kind}`);
    return outcome.reply as Extract<GroupReply, { kind: K }>;
  }
}

const whom = (): Problem => new Problem(400, 'Bad request', 'Say whom: ?member=ID, ?instance=ID or ?all.');

type Leavers = Extract<GroupCommand, { kind: 'group.leave' }>['members'];
const leaver = (member: string, instance: string | null): Leavers[number] => ({
  memberId: memberId(member),
  instanceId: instance === null ? null : instanceId(instance),
  reason: 'removed by an operator',
});
const texts = (value: unknown): string[] =>
  (Array.isArray(value) ? value : [value]).filter((each) => typeof each === 'string');
const leavers = (member: unknown, instance: unknown): Leavers => [
  ...texts(member).map((id) => leaver(id, null)),
  // Kafka: KIP-345. By the instance alone.
  ...texts(instance).map((id) => leaver('', id)),
];

const asObject = (body: unknown): Readonly<Record<string, unknown>> =>
  typeof body === 'object' && body !== null ? (body as Readonly<Record<string, unknown>>) : {};
const executes = (body: unknown): boolean => asObject(body)['execute'] === true;
const isPartition = (value: unknown): value is number =>
  Number.isSafeInteger(value) && (value as number) >= 0;

/** Undefined: no selection. */
function selectionsOf(topics: unknown): readonly Selection[] | null {
  if (topics === undefined) return null;
  const selections = Array.isArray(topics)
    ? topics.map((each) => (typeof each === 'string' ? selectionOf(each) : undefined))
    : [undefined];
  return selections.map((each) => {
    if (each === undefined)
      throw new Problem(400, 'Bad request', 'A topic is "tenants", or "tenants:0,1" for some partitions.');
    return each;
  });
}

function planned<T>(plan: () => T): T {
  try {
    return plan();
  } catch (error) {
    if (error instanceof PlanProblem) throw new Problem(404, 'Not found', error.message);
    throw error;
  }
}

function changesJson(group: GroupId, changes: readonly OffsetChange[], executed: boolean): OffsetChangesJson {
  const digits = (offset: OffsetChange['to']): string | null => (offset === null ? null : String(offset));
  return {
    group,
    executed,
    offsets: changes.map(({ topic, partition, from, to }) => ({
      topic,
      partition,
      from: digits(from),
      to: digits(to),
    })),
  };
}

const WHY: Readonly<Record<string, readonly [status: number, detail: string]>> = {
  GROUP_ID_NOT_FOUND: [404, 'There is no such group.'],
  NON_EMPTY_GROUP: [409, 'It has members: stop them first, or remove them.'],
  GROUP_SUBSCRIBED_TO_TOPIC: [409, 'Its members subscribe to the topic: stop them first.'],
};
function groupProblem(group: GroupId, error: string): Problem {
  const [status, why] = WHY[error] ?? [409, 'The coordinator refused it.'];
  return new Problem(status, error, `Group "${group}": ${why}`);
}

import { ROUTE_ARGS_METADATA } from '@nestjs/common/constants.js';
import type { DiscoveryService, MetadataScanner } from '@nestjs/core';
import { CALLED, PARTITION_WORKER, type WorkerClass } from './decorators.js';
import { FeatureOptions, WORKER_OPTIONS } from './options.js';

type Wrapper = ReturnType<DiscoveryService['getProviders']>[number];

/** Methods of a class by when they are called. */
type CalledMethods = Readonly<Record<keyof typeof CALLED, readonly string[]>>;

/** A class with `@PartitionWorker`, and the one instance of it. */
export interface FoundWorker {
  readonly name: string;
  readonly group: string;
  readonly topics: readonly string[];
  readonly instance: object;
  readonly methods: CalledMethods;
}

export interface Found {
  readonly workers: readonly FoundWorker[];
  readonly features: readonly FeatureOptions[];
  /** What has to be put right, a sentence each. */
  readonly problems: readonly string[];
}

/** All classes that work on partitions, wherever they are provided. Those with a problem are left out. */
export function findWorkers(
  discovery: DiscoveryService,
  scanner: MetadataScanner,
  defaultGroup: string | undefined,
): Found {
  const workers: FoundWorker[] = [];
  const problems: string[] = [];
  const wrappers = [...discovery.getProviders(), ...discovery.getControllers()];
  for (const wrapper of wrappers) {
    const type = typeOf(wrapper);
    if (type === undefined || wrapper.isAlias) continue;
    const about = Reflect.getMetadata(PARTITION_WORKER, type) as WorkerClass | undefined;
    const methods = methodsOf(scanner, type);
    const wrong =
      about === undefined
        ? undecorated(type.name, methods)
        : [...scopeProblem(wrapper, type.name), ...classProblems(type, about, methods, defaultGroup)];
    problems.push(...wrong);
    if (about === undefined || wrong.length > 0) continue;
    const group = about.group ?? defaultGroup!;
    const instance = wrapper.instance as object;
    workers.push({ name: type.name, group, topics: about.topics, instance, methods });
  }
  problems.push(...sharedTopics(workers));
  if (wrappers.filter(({ token }) => token === WORKER_OPTIONS).length > 1)
    problems.push(
      'WorkerModule.forRoot is imported twice: import it once, in the module of the application; options of one group go into WorkerModule.forFeature',
    );
  const features = wrappers.flatMap(({ instance }) => (instance instanceof FeatureOptions ? [instance] : []));
  return { workers, features, problems: [...problems, ...strayFeatures(features, workers)] };
}

/** The class of a provider, however it is made. */
function typeOf(wrapper: Wrapper): NewableFunction | undefined {
  const { metatype, isNotMetatype } = wrapper;
  if (typeof metatype === 'function' && !isNotMetatype) return metatype;
  const instance: unknown = wrapper.instance;
  return typeof instance === 'object' ? instance?.constructor : undefined;
}

function methodsOf(scanner: MetadataScanner, type: NewableFunction): CalledMethods {
  const prototype = type.prototype as Record<string, object> | undefined;
  const names = prototype === undefined ? [] : scanner.getAllMethodNames(prototype);
  const with_ = (key: string): string[] =>
    names.filter((name) => Reflect.hasMetadata(key, prototype![name]!));
  return { partition: with_(CALLED.partition), revoked: with_(CALLED.revoked), lost: with_(CALLED.lost) };
}

function undecorated(name: string, { partition, revoked, lost }: CalledMethods): string[] {
  const [method] = [...partition, ...revoked, ...lost];
  if (method === undefined) return [];
  return [
    `${name}.${method} would never be called: put @PartitionWorker('topic', { group: 'group' }) on the class ${name}`,
  ];
}

function scopeProblem(wrapper: Wrapper, name: string): string[] {
  const why =
    'a handler runs for as long as a partition is owned, and there is no request in that time: inject what has no scope, or ModuleRef and resolve what is needed for each job';
  if (!wrapper.isDependencyTreeStatic()) return [`${name}, or what it depends on, is request-scoped; ${why}`];
  if (wrapper.isTransient)
    return [`${name} is transient, so no instance of it would be the one that works: give it no scope`];
  return [];
}

function classProblems(
  type: NewableFunction,
  { topics, group }: WorkerClass,
  { partition, revoked, lost }: CalledMethods,
  defaultGroup: string | undefined,
): string[] {
  const { name } = type;
  const problems: string[] = [];
  if (topics.length === 0) problems.push(`${name} has no topic: @PartitionWorker('tenants')`);
  if ((group ?? defaultGroup ?? '') === '')
    problems.push(
      `${name} has no group: give it one with @PartitionWorker('${topics[0] ?? 'topic'}', { group: 'billing' }), or all of them with WorkerModule.forRoot({ group: 'billing' })`,
    );
  if (partition.length === 0)
    problems.push(`${name} has no method with @OnPartition(): put it on the one that works on a partition`);
  if (partition.length > 1)
    problems.push(
      `${name} has @OnPartition() on ${partition.join(' and ')}: a partition has one handler, which may call both`,
    );
  for (const method of [...partition, ...revoked, ...lost]) problems.push(...parameterProblem(type, method));
  return problems;
}

/** Nest fills the parameters that have a decorator, and then no others. */
function parameterProblem(type: NewableFunction, method: string): string[] {
  const noted = (Reflect.getMetadata(ROUTE_ARGS_METADATA, type, method) ?? {}) as Record<
    string,
    { readonly index: number }
  >;
  const decorated = new Set(Object.values(noted).map(({ index }) => index));
  const { length } = (type.prototype as Record<string, (...args: unknown[]) => unknown>)[method]!;
  const bare = Array.from({ length }, (_, index) => index).find((index) => !decorated.has(index));
  if (decorated.size === 0 || bare === undefined) return [];
  return [
    `parameter ${bare + 1} of ${type.name}.${method} would be undefined, since another one has a decorator: @Lease() gives the lease`,
  ];
}

function sharedTopics(workers: readonly FoundWorker[]): string[] {
  const seen = new Map<string, FoundWorker>();
  return workers.flatMap((worker) =>
    worker.topics.flatMap((topic) => {
      const key = JSON.stringify([worker.group, topic]);
      const other = seen.get(key);
      seen.set(key, worker);
      if (other === undefined) return [];
      return [
        other.name === worker.name
          ? `${worker.name} is provided twice: provide it in one module, and export it from there`
          : `${other.name} and ${worker.name} both work on the topic ${topic} in the group ${worker.group}: a partition has one handler, so give one of them another group, or join them`,
      ];
    }),
  );
}

function strayFeatures(features: readonly FeatureOptions[], workers: readonly FoundWorker[]): string[] {
  const groups = [...new Set(workers.map(({ group }) => group))];
  return features
    .filter(({ group }) => !groups.includes(group))
    .map(
      ({ group }) =>
        `WorkerModule.forFeature('${group}') is of no use: no @PartitionWorker has this group; there is ${groups.join(', ') || 'none'}`,
    );
}

import type { WorkerOptions } from '../options.js';

/** What is of a group; everything but what its classes say, and signals, which are those of the application. */
export type WorkerFeatureOptions = Partial<
  Omit<WorkerOptions, 'group' | 'topics' | 'onPartition' | 'stopOn'>
>;

/** Options of `createWorker` for all groups; `forFeature` has those of one. */
export interface WorkerModuleOptions extends WorkerFeatureOptions {
  readonly brokers: readonly string[];
  /** Of every `@PartitionWorker` that names none. */
  readonly group?: string;
  /**
   * Default true: the application joins its groups when it starts, and does not start where it cannot. False: it joins with
   * `PartitionWorkers.start()`, for programs that share the modules and do not work on partitions.
   */
  readonly autoStart?: boolean;
}

export const WORKER_OPTIONS = Symbol('quorate:worker-options');

/** The options of one group, as a provider that is found by its class. */
export class FeatureOptions {
  constructor(
    readonly group: string,
    readonly options: WorkerFeatureOptions,
  ) {}
}

/**
 * Those of all groups and of one, as one. Stores of all are sealed.
 * @param problem is told of what is said twice.
 */
export function optionsOf(
  { group: _group, autoStart: _autoStart, ...root }: WorkerModuleOptions,
  group: string,
  features: readonly FeatureOptions[],
  problem: (text: string) => void,
): WorkerFeatureOptions & Pick<WorkerModuleOptions, 'brokers'> {
  const own: Record<string, unknown> = {};
  const stores = [...(root.stores ?? [])];
  for (const { options } of features.filter((feature) => feature.group === group)) {
    const { stores: more = [], ...others } = options;
    stores.push(...more);
    for (const [name, value] of Object.entries(others)) {
      if (Object.hasOwn(own, name))
        problem(`${name} of the group ${group} is given by two WorkerModule.forFeature: give it once`);
      own[name] = value;
    }
  }
  return { ...root, ...own, stores: [...new Set(stores)] };
}

import { ConnectionWatch, isCluster, type RedisClient } from './client.js';
import type { RunScripts, ScriptRun } from './script-runner.js';

/** What to do with a Redis that may throw fences away when its memory is full. */
export type EvictionRule = 'refuse' | 'warn' | 'ignore';

/** A server evicts keys that have no expiry: a fence that it forgot lets the owner before write again. Nothing was written. */
export class EvictingStoreError extends Error {
  override readonly name = 'EvictingStoreError';
  constructor(readonly policy: string) {
    super(
      `the maxmemory-policy of this Redis is ${policy}: it may evict fences, and then lets an earlier owner write. Set noeviction, or give RedisStore { eviction: 'warn' }`,
    );
  }
}

/**
 * The policy under which a server evicts fences, as INFO memory says; undefined when it evicts none. `expiring`: the store gives
 * keys an expiry (`tombstoneMs`), so the volatile policies reach them too.
 */
function evictingPolicy(info: string, expiring: boolean): string | undefined {
  const policy = /^maxmemory_policy:(\S+)/m.exec(info)?.[1] ?? 'noeviction';
  const limit = Number(/^maxmemory:(\d+)/m.exec(info)?.[1] ?? 0);
  if (limit === 0) return undefined;
  return policy.startsWith('allkeys-') || (expiring && policy.startsWith('volatile-')) ? policy : undefined;
}

const INFO_TIMEOUT_MS = 1_000;

/** Looks at the policy of every node before the first script runs, once. */
export class EvictionGuard implements RunScripts {
  readonly #client: RedisClient;
  readonly #scripts: RunScripts;
  readonly #rule: EvictionRule;
  readonly #expiring: boolean;
  #checked: Promise<void> | undefined;
  #passed = false;

  constructor(client: RedisClient, scripts: RunScripts, rule: EvictionRule, expiring: boolean) {
    this.#client = client;
    this.#scripts = scripts;
    this.#rule = rule;
    this.#expiring = expiring;
  }

  run(...script: Parameters<RunScripts['run']>): Promise<ScriptRun> {
    if (this.#passed) return this.#scripts.run(...script);
    this.#checked ??= this.#check();
    return this.#checked.then(() => {
      this.#passed = true;
      return this.#scripts.run(...script);
    });
  }

  async #check(): Promise<void> {
    const nodes = isCluster(this.#client)
      ? (this.#client.nodes('all') as unknown as readonly RedisClient[])
      : [this.#client];
    const infos = await Promise.all(nodes.map((node) => this.#infoOf(node)));
    for (const info of infos) {
      const policy = evictingPolicy(info, this.#expiring);
      if (policy === undefined) continue;
      const error = new EvictingStoreError(policy);
      if (this.#rule === 'refuse') throw error;
      process.emitWarning(error.message, { code: 'QUORATE_EVICTING_STORE' });
      return;
    }
  }

  /** Empty where INFO is not allowed, or nobody answers in time: then nothing is known, and nothing refused. */
  async #infoOf(node: RedisClient): Promise<string> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<string>((resolve) => {
      timer = setTimeout(resolve, INFO_TIMEOUT_MS, '');
    });
    const asked = ConnectionWatch.of(this.#client)
      .orLoss(node.info?.('memory') ?? Promise.resolve(''))
      .then(String, () => '');
    const info = await Promise.race([asked, late]);
    clearTimeout(timer);
    return info;
  }
}

import type { ResourceName, WriteOperation } from '../model.js';

/**
 * Which hash tag a key carries. Redis Cluster keeps keys with the same tag on the same node, and a script sees keys of
 * one tag only. So all records of a transaction, and the seal of every scope that it writes under, must have one tag.
 */
export interface Tags {
  /** The tag of a record. */
  record(resource: ResourceName, id: string): string;
  /** The tag of the seal of a scope: that of the records which are written under it. */
  scope(scope: string): string;
}

/** Everything in one tag: every transaction is possible, and a cluster gives it one node. What to take without a cluster. */
export const oneTag = (tag = 'all'): Tags => ({ record: () => tag, scope: () => tag });

/**
 * A tag per scope, so that partitions spread over the nodes of a cluster. Transactions stay within a partition.
 * @param scopeOf the scope that a record is written under. It must depend on the resource and the id alone.
 */
export const tagByScope = (scopeOf: (resource: ResourceName, id: string) => string): Tags => ({
  record: scopeOf,
  scope: (scope) => scope,
});

/**
 * A tag per resource. Transactions stay within a resource.
 * @param resourceOf the one resource that is written under a scope, for instance the topic of `group/topic/partition`.
 */
export const tagByResource = (resourceOf: (scope: string) => ResourceName): Tags => ({
  record: (resource) => resource,
  scope: resourceOf,
});

/** The keys of one transaction have different hash tags. Nothing was sent. */
export class CrossSlotError extends Error {
  override readonly name = 'CrossSlotError';
  constructor(readonly tags: readonly string[]) {
    super(
      `one transaction touches the hash tags ${tags.join(' and ')}, and Redis gives no transaction across tags. ` +
        'Choose `tags` so that records that change together, and the seal of their scope, have one tag.',
    );
  }
}

/** `prefix{tag}:r:resource:id` is a record, `prefix{tag}:s:scope` a seal. */
export class Keys {
  readonly #prefix: string;
  readonly #tags: Tags;
  /** Most writes have the tag of the one before. */
  #lastTag = '';
  #lastHead = '';

  constructor(prefix: string, tags: Tags) {
    // The first brace of a key begins its tag.
    if (prefix.includes('{'))
      throw new TypeError(`the prefix ${prefix} has a brace, which would hide the hash tag`);
    this.#prefix = prefix;
    this.#tags = tags;
  }

  record(resource: ResourceName, id: string): string {
    return `${this.#head(this.#tags.record(resource, id))}r:${escaped(resource, NAME_SPECIALS)}:${id}`;
  }
  seal(scope: string): string {
    return `${this.#head(this.#tags.scope(scope))}s:${scope}`;
  }

  /**
   * The tag of an operation.
   * @throws CrossSlotError when its record and the seal of its scope have different tags.
   */
  tagOf({ resource, id, fence }: WriteOperation): string {
    const tag = this.#tags.record(resource, id);
    if (fence === undefined) return tag;
    const sealed = this.#tags.scope(fence.scope);
    if (sealed !== tag) throw new CrossSlotError([tag, sealed]);
    return tag;
  }

  #head(tag: string): string {
    if (tag === '') throw new TypeError('an empty hash tag is none: Redis would hash the whole key');
    if (tag === this.#lastTag) return this.#lastHead;
    this.#lastTag = tag;
    return (this.#lastHead = `${this.#prefix}{${escaped(tag, TAG_SPECIALS)}}:`);
  }
}

const TAG_SPECIALS = /[%}]/;
const NAME_SPECIALS = /[%:]/;

const escaped = (text: string, specials: RegExp): string =>
  specials.test(text)
    ? text.replace(new RegExp(specials, 'g'), (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
    : text;

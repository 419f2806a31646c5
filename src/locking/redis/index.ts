export { RedisStore, type RedisStoreOptions } from './redis-store.js';
export { CrossSlotError, oneTag, tagByResource, tagByScope, type Tags } from './keys.js';
export { CannotConfirmError, type ConfirmOptions, UnconfirmedWriteError } from './confirm.js';
export { EvictingStoreError, type EvictionRule } from './eviction.js';
export type { RedisClient } from './client.js';

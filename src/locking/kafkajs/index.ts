export { fencesOf, type ConsumerFences, type FenceEvents, type FencesOfOptions } from './fences-of.js';
export type { PartitionFence } from './hold.js';
export type { KafkajsConsumer } from './consumer-events.js';
export type { Grant, TokenSource } from './token-source.js';
export type { FenceHandler, WorkOptions } from './work-loops.js';

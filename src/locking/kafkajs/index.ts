export { fencesOf, type ConsumerFences, type FencesOfOptions, type PartitionFence } from './fences-of.js';
export type { KafkajsConsumer } from './consumer-events.js';
export type { Grant, TokenSource } from './token-source.js';

export { type Broker, type BrokerOptions, createBroker } from './server.js';
export { type BrokerSettings, DEFAULT_BROKER_SETTINGS } from './settings.js';
export type { BrokerCounters, CloseCause } from './counters.js';
export type { ParkedKind } from './parked.js';

export { type Broker, createBroker } from './server.js';
export { type BrokerSettings, DEFAULT_BROKER_SETTINGS } from './settings.js';
export type { RequestTrace, RequestTracer } from './request-tracer.js';
export type { BrokerCounters } from './counters.js';

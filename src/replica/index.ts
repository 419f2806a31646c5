export type * from './ports.js';
export type * from './coordinator.js';

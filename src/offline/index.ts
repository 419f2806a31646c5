export type * from './shapes.js';
export { checkDirectory, OfflineError } from './check.js';

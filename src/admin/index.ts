export type * from './port.js';
export type * from './shapes.js';
export { AdminClient, AdminClientError } from './client.js';
export { metricsPage } from './metrics/page.js';

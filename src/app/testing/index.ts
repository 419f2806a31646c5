/** A Quorate for the tests of what depends on it, in one line and without Docker. Walk-through: docs/testing-your-app.md. */
export type { Owner, StableOptions } from './owners.js';
export { startTestCluster, type TestCluster, type TestClusterOptions } from './test-cluster.js';

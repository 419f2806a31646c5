export { checkSettings, ConfigurationError, loadSettings } from './configuration.js';
export { QuorateModule, type QuorateModuleOptions } from './quorate.module.js';
export { runReplica, type RunningReplica, type RunReplicaOptions } from './run-replica.js';
export { settingsPage } from './settings-page.js';
export type { Settings } from './settings.js';

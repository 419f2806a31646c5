export { checkSettings, ConfigurationError, loadSettings, type LoadedSettings } from './configuration.js';
export { QUORATE_NODE, QuorateModule, type QuorateModuleOptions } from './quorate.module.js';
export { ReplicaNode } from './node.js';
export { runReplica, type RunningReplica, type RunReplicaOptions } from './run-replica.js';
export { settingsPage } from './settings-page.js';
export type { Settings } from './settings.js';

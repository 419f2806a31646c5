/**
 * Replicas in your own process: `QuorateModule.forRoot({ settings })` inside a Nest application, `runReplica({ settings })` as
 * an application of its own. Both take the same options; `checkSettings({...}).settings` makes the settings.
 */
export {
  checkSettings,
  ConfigurationError,
  loadSettings,
  QuorateModule,
  type QuorateModuleOptions,
  runReplica,
  type RunningReplica,
  type RunReplicaOptions,
  type Settings,
} from './app/index.js';

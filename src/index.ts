/** Running replicas inside your own Nest application: `QuorateModule.forRoot({ settings: checkSettings({...}).settings })`. */
export {
  checkSettings,
  ConfigurationError,
  loadSettings,
  QuorateModule,
  type QuorateModuleOptions,
  runReplica,
  type Settings,
} from './app/index.js';

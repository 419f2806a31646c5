export {
  LockingModule,
  type LockingFeatureOptions,
  type LockingModuleExtras,
  type LockingModuleOptions,
} from './locking.module.js';
export {
  getHealthIndicatorToken,
  getRecordsToken,
  getStoreToken,
  InjectHealthIndicator,
  InjectRecords,
  InjectStore,
} from './tokens.js';
export { Fenced, RetryOnConflict } from '../decorators.js';
export { Versioned } from './versioned.js';
export { IfMatch, IfMatchPipe, type IfMatchOptions, preconditionRequired } from './if-match.js';
export { ETagInterceptor, etagOf } from './etag.js';
export { LockingErrorsInterceptor, LockingExceptionFilter } from './exception-filter.js';
export { LockingHttpException, type LockingProblem } from './problem.js';
export { LockingEvents } from './events.js';
export { type HealthResult, LockingHealthIndicator, type HealthProbeOptions } from './health.js';

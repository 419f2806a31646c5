import { Inject, type InjectionToken } from '@nestjs/common';
import type { ResourceName } from '../model.js';
import { LockingHealthIndicator } from './health.js';

/** Of a store that was registered without a name. */
export const DEFAULT_STORE = 'default';
/** The options of one `forRoot`. */
export const LOCKING_OPTIONS = Symbol('quorate:locking-options');

/** The provider of a registered store, for tests that replace it and for factories. */
export const getStoreToken = (name = DEFAULT_STORE): string => `quorate:locking-store:${name}`;
/** The provider of the Records of a resource. */
export const getRecordsToken = (resource: ResourceName, store = DEFAULT_STORE): string =>
  `quorate:locking-records:${store}:${resource}`;

/** The provider of the LockingHealthIndicator of a store; without a name the class itself. */
export const getHealthIndicatorToken = (store = DEFAULT_STORE): InjectionToken<LockingHealthIndicator> =>
  store === DEFAULT_STORE ? LockingHealthIndicator : `quorate:locking-health:${store}`;

export const InjectStore = (name?: string): ReturnType<typeof Inject> => Inject(getStoreToken(name));
/** `constructor(@InjectRecords('accounts') private readonly accounts: Records<Account>) {}` */
export const InjectRecords = (resource: ResourceName, store?: string): ReturnType<typeof Inject> =>
  Inject(getRecordsToken(resource, store));
/** Of a store with a name. That of the other is injected by its class. */
export const InjectHealthIndicator = (store?: string): ReturnType<typeof Inject> =>
  Inject(getHealthIndicatorToken(store));

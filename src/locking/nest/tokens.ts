import { Inject } from '@nestjs/common';
import type { ResourceName } from '../model.js';

/** Of a store that was registered without a name. */
export const DEFAULT_STORE = 'default';
/** The options of one `forRoot`. */
export const LOCKING_OPTIONS = Symbol('quorate:locking-options');

/** The provider of a registered store, for tests that replace it and for factories. */
export const getStoreToken = (name = DEFAULT_STORE): string => `quorate:locking-store:${name}`;
/** The provider of the Records of a resource. */
export const getRecordsToken = (resource: ResourceName, store = DEFAULT_STORE): string =>
  `quorate:locking-records:${store}:${resource}`;

export const InjectStore = (name?: string): ReturnType<typeof Inject> => Inject(getStoreToken(name));
/** `constructor(@InjectRecords('accounts') private readonly accounts: Records<Account>) {}` */
export const InjectRecords = (resource: ResourceName, store?: string): ReturnType<typeof Inject> =>
  Inject(getRecordsToken(resource, store));

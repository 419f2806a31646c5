import type { History } from '../history.js';
import { aHealedClusterServes } from './a-healed-cluster-serves.js';
import { appliedLogsAgree } from './applied-logs-agree.js';
import { noReplicaEndsWithoutACause } from './no-replica-ends-without-a-cause.js';
import { nothingAcknowledgedIsMissing } from './nothing-acknowledged-is-missing.js';
import { olderTokensAreRefused } from './older-tokens-are-refused.js';
import { recordsAreLinearizable } from './records-are-linearizable.js';
import { tokensOnlyGrow } from './tokens-only-grow.js';

/** Each says what breaks it, or nothing. The first that is broken is reported. */
export const INVARIANTS: Readonly<Record<string, (history: History) => string | undefined>> = {
  'applied-logs-agree': appliedLogsAgree,
  'nothing-acknowledged-is-missing': nothingAcknowledgedIsMissing,
  'records-are-linearizable': recordsAreLinearizable,
  'older-tokens-are-refused': olderTokensAreRefused,
  'tokens-only-grow': tokensOnlyGrow,
  'no-replica-ends-without-a-cause': noReplicaEndsWithoutACause,
  'a-healed-cluster-serves': aHealedClusterServes,
};

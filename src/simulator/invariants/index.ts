import type { History } from '../history.js';
import { aCrashNowLosesNothing } from './a-crash-now-loses-nothing.js';
import { aDiskThatForgotIsAnotherDisk } from './a-disk-that-forgot-is-another-disk.js';
import { aHealedClusterServes } from './a-healed-cluster-serves.js';
import { aStalledDiskLeadsNothing } from './a-stalled-disk-leads-nothing.js';
import { aTokenHasOneOwner } from './a-token-has-one-owner.js';
import { answersFitTheirQuestions } from './answers-fit-their-questions.js';
import { appliedLogsAgree } from './applied-logs-agree.js';
import { generationsOnlyGrow } from './generations-only-grow.js';
import { logsStayShort } from './logs-stay-short.js';
import { newCommandsWaitForAll } from './new-commands-wait-for-all.js';
import { noReplicaEndsWithoutACause } from './no-replica-ends-without-a-cause.js';
import { noVersionIsSentWhatItCannotRead } from './no-version-is-sent-what-it-cannot-read.js';
import { nothingAcknowledgedIsMissing } from './nothing-acknowledged-is-missing.js';
import { olderTokensAreRefused } from './older-tokens-are-refused.js';
import { oneClockMovesNoTime } from './one-clock-moves-no-time.js';
import { oneLeaseAtATime } from './one-lease-at-a-time.js';
import { oneOwnerInAGeneration } from './one-owner-in-a-generation.js';
import { onlyDamageIsDamage } from './only-damage-is-damage.js';
import { promisesSurviveCrashes } from './promises-survive-crashes.js';
import { quorumsAreWhole } from './quorums-are-whole.js';
import { readsAreFresh } from './reads-are-fresh.js';
import { recordsAreLinearizable } from './records-are-linearizable.js';
import { sameLogSameState } from './same-log-same-state.js';
import { storesTakeNoOlderToken } from './stores-take-no-older-token.js';
import { theNewestSnapshotCounts } from './the-newest-snapshot-counts.js';
import { tokensOnlyGrow } from './tokens-only-grow.js';
import { topicsStay } from './topics-stay.js';
import { workersWorkWhatTheyOwn } from './workers-work-what-they-own.js';
import { writesAreByTheOwner } from './writes-are-by-the-owner.js';
import { whatIsDurableIsFound } from './what-is-durable-is-found.js';
import { whatWasRefusedIsNotDone } from './what-was-refused-is-not-done.js';
import { whoForgotDoesNotVote } from './who-forgot-does-not-vote.js';
import { whoDisagreesIsKeptOut } from './who-disagrees-is-kept-out.js';
import { aVoterRemembersItsPeers } from './a-voter-remembers-its-peers.js';
import { appliedOnlyGrows } from './applied-only-grows.js';
import { whoHearsNobodyLeadsNothing } from './who-hears-nobody-leads-nothing.js';
import { whatWaitsIsLimited } from './what-waits-is-limited.js';
import { disksAreRemembered } from './disks-are-remembered.js';
import { configurationsAgree } from './configurations-agree.js';
import { readyMeansCaughtUp } from './ready-means-caught-up.js';
import { shardsFollowThePlan } from './shards-follow-the-plan.js';
import { whoWasRemovedDoesNotVote } from './who-was-removed-does-not-vote.js';
import { zombiesAreRefused } from './zombies-are-refused.js';

/** Each says what breaks it, or nothing. The first that is broken is reported. */
export const INVARIANTS: Readonly<Record<string, (history: History) => string | undefined>> = {
  'applied-logs-agree': appliedLogsAgree,
  'nothing-acknowledged-is-missing': nothingAcknowledgedIsMissing,
  'quorums-are-whole': quorumsAreWhole,
  'reads-are-fresh': readsAreFresh,
  'records-are-linearizable': recordsAreLinearizable,
  'older-tokens-are-refused': olderTokensAreRefused,
  'tokens-only-grow': tokensOnlyGrow,
  'a-crash-now-loses-nothing': aCrashNowLosesNothing,
  'a-disk-that-forgot-is-another-disk': aDiskThatForgotIsAnotherDisk,
  'a-stalled-disk-leads-nothing': aStalledDiskLeadsNothing,
  'a-token-has-one-owner': aTokenHasOneOwner,
  'answers-fit-their-questions': answersFitTheirQuestions,
  'generations-only-grow': generationsOnlyGrow,
  'logs-stay-short': logsStayShort,
  'new-commands-wait-for-all': newCommandsWaitForAll,
  'no-version-is-sent-what-it-cannot-read': noVersionIsSentWhatItCannotRead,
  'one-clock-moves-no-time': oneClockMovesNoTime,
  'one-lease-at-a-time': oneLeaseAtATime,
  'one-owner-in-a-generation': oneOwnerInAGeneration,
  'promises-survive-crashes': promisesSurviveCrashes,
  'only-damage-is-damage': onlyDamageIsDamage,
  'stores-take-no-older-token': storesTakeNoOlderToken,
  'workers-work-what-they-own': workersWorkWhatTheyOwn,
  'writes-are-by-the-owner': writesAreByTheOwner,
  'same-log-same-state': sameLogSameState,
  'the-newest-snapshot-counts': theNewestSnapshotCounts,
  'topics-stay': topicsStay,
  'what-is-durable-is-found': whatIsDurableIsFound,
  'what-was-refused-is-not-done': whatWasRefusedIsNotDone,
  'who-forgot-does-not-vote': whoForgotDoesNotVote,
  'who-disagrees-is-kept-out': whoDisagreesIsKeptOut,
  'a-voter-remembers-its-peers': aVoterRemembersItsPeers,
  'applied-only-grows': appliedOnlyGrows,
  'who-hears-nobody-leads-nothing': whoHearsNobodyLeadsNothing,
  'disks-are-remembered': disksAreRemembered,
  'what-waits-is-limited': whatWaitsIsLimited,
  'configurations-agree': configurationsAgree,
  'ready-means-caught-up': readyMeansCaughtUp,
  'shards-follow-the-plan': shardsFollowThePlan,
  'who-was-removed-does-not-vote': whoWasRemovedDoesNotVote,
  'zombies-are-refused': zombiesAreRefused,
  'no-replica-ends-without-a-cause': noReplicaEndsWithoutACause,
  'a-healed-cluster-serves': aHealedClusterServes,
};

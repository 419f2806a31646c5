/** A bug planted in a copy of the tree: in one file one text, which must be there once, is replaced. */
export interface Mutant {
  readonly name: string;
  readonly file: string;
  readonly from: string;
  readonly to: string;
  /** `from` is replaced wherever it stands. */
  readonly everywhere?: boolean;
  /** Hunted in worlds whose operator changes the replicas. */
  readonly changes?: boolean;
}

const mutant = (file: string, name: string, from: string, to: string): Mutant => ({
  ...{ name, file: `src/${file}.ts`, from, to },
});

const STORAGE: readonly Mutant[] = [
  mutant(
    'storage/write-ahead-log',
    'a group is acknowledged before its sync',
    "options.fileSystem.openSync(last.path, 'r+d')",
    "options.fileSystem.openSync(last.path, 'r+')",
  ),
  mutant(
    'storage/file-storage',
    'a lost log keeps its vote',
    '  const incarnation = uuid();\n',
    '  const incarnation = identity?.incarnation ?? uuid();\n',
  ),
  mutant(
    'storage/format',
    'a torn group is taken without its checksum',
    ' || recordCrc(bytes, at, length, chain) !== crc',
    '',
  ),
  mutant('storage/file-system', 'no directory is synced', 'fileSystem.fsyncSync(directory);', ''),
  mutant(
    'storage/file-system',
    'a new file takes the place of the old one unsynced',
    '    fileSystem.fdatasyncSync(file);\n    verify',
    '    verify',
  ),
  mutant(
    'storage/whole-sectors',
    'a short write counts as a whole one',
    'if (error !== null || written === left.length) return done(error);',
    'return done(error);',
  ),
  mutant(
    'storage/whole-sectors',
    'a write that was cut short goes on within a sector',
    'const whole = Math.max(0, wholeSectors(at + written) - at);',
    'const whole = written;',
  ),
  mutant(
    'storage/file-system',
    'a short write of a file counts as a whole one',
    '    at += written;\n',
    '    at = bytes.length;\n',
  ),
  mutant(
    'storage/write-ahead-log',
    'a new segment is not synced',
    '      fileSystem.fsyncSync(file);\n      fileSystem.renameSync(temporary, path);',
    '      fileSystem.renameSync(temporary, path);',
  ),
  mutant(
    'storage/write-ahead-log',
    'old segments go before the new beginning is durable',
    '    this.#waiting.push(() => {\n      this.#rebasing = false;',
    '    this.#baseSegment = this.#segments.at(-1).number;\n    this.#releaseOlder();\n    this.#waiting.push(() => {\n      this.#rebasing = false;',
  ),
  mutant(
    'storage/file-storage',
    'a torn tail stays in the log',
    "else if (condition.kind === 'intact' && condition.droppedBytes > 0)",
    'else if (false)',
  ),
  mutant(
    'storage/scan',
    'damage in the log is taken for a torn tail',
    "const detail = isLast ? damage(bytes, end) : 'acknowledged records follow bytes that cannot be read';",
    'const detail = undefined;',
  ),
  mutant(
    'storage/snapshot-files',
    'an older snapshot takes the place of a newer one',
    'if (this.#closed || (older !== undefined && job.through < older)) {',
    'if (this.#closed) {',
  ),
  mutant(
    'storage/examine',
    'a log that lost everything counts as a new one',
    'if (!votes || !empty) return',
    'return',
  ),
  mutant(
    'storage/write-ahead-log',
    'a failed write counts as one',
    "if (error !== null) return this.#fail('write', error);\n      this.#writing",
    'this.#writing',
  ),
  mutant(
    'storage/examine',
    'a segment of another data directory is taken',
    'if (incarnation !== undefined && (scan.header.incarnation ?? incarnation) !== incarnation)',
    'if (false)',
  ),
  mutant(
    'storage/snapshot-files',
    'the oldest snapshot counts',
    'if (through > (newest.get(shard) ?? 0)) newest.set(shard, through);',
    'if (through < (newest.get(shard) ?? Infinity)) newest.set(shard, through);',
  ),
];

const SHELL: readonly Mutant[] = [
  mutant(
    'replica/shard-host',
    'a leader answers reads without a lease',
    'if (this.leaseHolds()) return this',
    'if (this.leadership.serving) return this',
  ),
  mutant(
    'replica/shard-host',
    'what Paxos wants persisted is not',
    'this.#log.append(effect.records, true,',
    'this.#log.append([], true,',
  ),
  mutant(
    'replica/shard-host',
    'messages leave before what they promise is durable',
    'this.#log.append(effect.records, true, () => this.#persisted(effect.id, effect.then));',
    'this.#log.append(effect.records, true);\n    this.#persisted(effect.id, effect.then);',
  ),
  mutant(
    'replica/group-timers',
    'a new leader arms no timers',
    'for (const timer of groups.timers()) this.change(timer, { now, heard: false });',
    '',
  ),
  mutant(
    'replica/shard-host',
    'sessions that are over are not proposed',
    'if (!this.#timers.endsInParts(due, this.#machine, now)) this.#expire(due);',
    'void due;',
  ),
  mutant(
    'replica/shard-host',
    'a sign of life renews nothing',
    'this.#timers.touch(group, member, this.#around.clock.monotonic(), by);',
    '',
  ),
  mutant(
    'replica/replica',
    'the retention sweep never runs',
    'if (now - this.#lastSweepAt >= this.#options.retentionSweepMs) {',
    'if (false) {',
  ),
  mutant(
    'replica/retention-sweep',
    'the retention sweep removes nothing',
    'if (next.value === null) continue;',
    'continue;',
  ),
  mutant(
    'replica/snapshot-source',
    'chunks of a snapshot leave gaps',
    'source.at += bytes.length;',
    'source.at += bytes.length + 64;',
  ),
  mutant(
    'replica/snapshot-source',
    'a snapshot is never offered',
    "this.#options.transport.send(to, frame, 'droppable');",
    '',
  ),
  mutant(
    'replica/forwarding',
    'a forwarded command that timed out is told as not done',
    "sentTo === undefined ? { kind: 'not-leader', leader: undefined } : { kind: 'outcome-unknown' },",
    "{ kind: 'not-leader', leader: undefined },",
  ),
  mutant(
    'replica/forwarding',
    'a forwarded command whose link broke is told as not done',
    "if (waiting.sentTo === peer) this.#settle(request, { kind: 'outcome-unknown' });",
    "if (waiting.sentTo === peer) this.#settle(request, { kind: 'not-leader', leader: undefined });",
  ),
  mutant(
    'replica/forwarding',
    'a forwarded command whose link broke is sent again',
    "if (waiting.sentTo === peer) this.#settle(request, { kind: 'outcome-unknown' });",
    'if (waiting.sentTo === peer) waiting.sentTo = undefined;',
  ),
  mutant(
    'replica/forwarding',
    'a command is proposed again until it is answered',
    "      waiting.sentTo = 'here';\n",
    '',
  ),
  mutant(
    'replica/remote-reads',
    'a read at any replica asks a leader that may be one no more',
    '    this.#port.read(shard, (outcome) => {\n      const through',
    "    ((of, then) => then({ kind: 'ok', view: this.#port.peek(of) }))(shard, (outcome) => {\n      const through",
  ),
  mutant(
    'replica/remote-reads',
    'a read at any replica does not wait for what it must show',
    'if (view.appliedThrough >= waiting.through && !view.underWay) this.#end',
    'this.#end',
  ),
  mutant(
    'replica/peers',
    'a replica that has won answers reads before it serves',
    'if (peer === this.#self) return this.#ownLevel;',
    '',
  ),
  mutant(
    'replica/compaction',
    'the log is cut before its snapshot is written',
    'this.#storage.writeSnapshot(host.shard, through, chunks, () => {',
    '((_a, _b, _c, then) => then())(host.shard, through, chunks, () => {',
  ),
  mutant(
    'replica/compaction',
    'a compaction leaves out what one shard has promised and accepted',
    'hosts.flatMap((host) => host.hardState())',
    'hosts.slice(1).flatMap((host) => host.hardState())',
  ),
  mutant(
    'replica/compaction',
    'the log is never cut',
    "if (room === 'none' || this.#storage.logBytes() - this.#floorBytes < threshold) return;",
    'return;',
  ),
  mutant('replica/first-vote', 'a replica without a vote votes', '\n    open(false);', '\n    open(true);'),
  mutant(
    'replica/formation',
    'a disk that is another one is not known as such',
    'if (formed && knows && expected !== identity.incarnation)',
    'if (false)',
  ),
  mutant(
    'replica/formation',
    'a replica votes before it has met a quorum',
    'return isFullQuorum(now.quorums, new Set([self, ...met.keys()]))',
    'return true',
  ),
  mutant(
    'replica/formation',
    'a cluster forms before all have met',
    'if (missing.length + foreign.length > 0) return',
    'if (met.size === 0) return',
  ),
  mutant(
    'replica/own-disk',
    'an older copy of a disk is not known as such',
    'if (remembered <= own ||',
    'if (true ||',
  ),
  mutant(
    'replica/recovery',
    'a replica starts with another list of replicas',
    '.filter(({ fixed }) => fixed && found.joined !== true && numberOf(found) === 0)',
    '.filter(() => false)',
  ),
  mutant(
    'replica/first-vote',
    'the shards open before the peers are remembered',
    'disk.save({ ...disk.identity, formedWith, founded, levels, level }, () => {',
    '((_a, then) => then())({ formedWith, founded, levels, level }, () => {',
  ),
  mutant(
    'replica/shard-host',
    'an installed snapshot is not told to Paxos',
    "this.step({ kind: 'snapshotInstalled', through: machine.appliedThrough, begun: begunOf(machine) });",
    '',
  ),
  mutant(
    'replica/forwarding',
    'an answer to an earlier process is taken',
    'this.#firstRequest = run * REQUESTS_PER_RUN;',
    'this.#firstRequest = 0;',
  ),
  mutant(
    'replica/snapshot-receiver',
    'a snapshot that came broken is installed',
    'const intact = crc32c(partial.body) === crc;',
    'const intact = true;',
  ),
  mutant(
    'replica/shard-host',
    'a snapshot that is older than what was applied is installed',
    'if (machine.appliedThrough <= this.#machine.appliedThrough) return false;',
    '',
  ),
  mutant(
    'replica/own-disk',
    'what is remembered of disks is not written down',
    'if (positions !== undefined) this.save({ ...this.identity, positions }, () => undefined);',
    '',
  ),
  mutant(
    'replica/disk-watch',
    'a disk that hangs is not noticed',
    'this.#tell(this.#silentMs >= STALL_MS || tooMuch);',
    'this.#tell(false);',
  ),
  {
    ...{ name: 'the lease runs on the wall clock', file: 'src/replica/shard-host.ts' },
    ...{ from: 'around.clock.monotonic()', to: 'around.clock.wall()', everywhere: true },
  },
];

const MEMORY: readonly Mutant[] = [
  mutant(
    'replica/peers',
    'what peers can do is forgotten by a restart',
    'this.#together = levels;',
    'void levels;',
  ),
];

const CLOCKS: readonly Mutant[] = [
  mutant('kernel/suspend', 'a lease survives a suspend', 'return now + suspended;', 'return now;'),
];

const VERSIONS: readonly Mutant[] = [
  mutant(
    'replica/replica',
    'a new kind of command waits for nobody',
    'allKnow: (command) => this.peers.allows(command),',
    'allKnow: () => true,',
  ),
  mutant(
    'replica/peers',
    'a peer that was never met counts as new',
    'this.#together[id] ?? FIRST_FEATURE_LEVEL',
    'this.#together[id] ?? FEATURE_LEVEL',
  ),
  mutant(
    'replica/peers',
    'new frames go to old versions',
    '.filter(([, { featureLevel = FIRST_FEATURE_LEVEL }]) => featureLevel >= level)',
    '',
  ),
];

const TRANSPORT: readonly Mutant[] = [
  mutant(
    'transport/handshake',
    'replicas with different settings talk',
    'if (disagree !== undefined) return disagree;',
    '',
  ),
  mutant(
    'replica/forwarding',
    'any number of forwarded commands waits',
    'if (this.#waiting.size >= this.#limits.forwarded)',
    'if (this.#limits.forwarded < 0)',
  ),
  mutant(
    'replica/remote-reads',
    'any number of reads waits for a leader elsewhere',
    'if (this.#waiting.size >= this.#most)',
    'if (this.#most < 0)',
  ),
  mutant(
    'replica/parked-reads',
    'any number of reads waits for a quorum',
    'if (this.#done.size >= this.#most)',
    'if (this.#most < 0)',
  ),
  mutant(
    'paxos/leader',
    'a leader queues all that it is asked',
    'leader.queue.length >= s.options.queuedEntriesMax ||',
    '',
  ),
  mutant(
    'replica/outbox',
    'a full bundle is forgotten',
    'this.#transport.send(peer, bundle.take(), urgency);',
    'if (bundle.bytes < 200) this.#transport.send(peer, bundle.take(), urgency);\n    else bundle.take();',
  ),
  mutant(
    'replica/turn-end',
    'the end of a turn flushes nothing now and then',
    'this.#outbox.flush();',
    'if (this.skipped !== 3) { this.skipped = (this.skipped ?? 0) + 1; this.#outbox.flush(); } else this.skipped = 0;',
  ),
];

const BROKER: readonly Mutant[] = [
  mutant(
    'broker/handlers/heartbeat',
    'a heartbeat under the lease renews nothing',
    '    if (renew) coordinator.touch(group, member);\n    if',
    '    if',
  ),
  mutant(
    'broker/handlers/offsets',
    'offsets are read from whatever is applied here',
    '    coordinator.read(\n',
    "    ((of, then) => then({ kind: 'ok', view: coordinator.peek(of) }))(\n",
  ),
  mutant(
    'broker/refusals',
    'a commit that nobody took is told as taken',
    "  commit: {\n    'not-leader': 'NOT_COORDINATOR',",
    "  commit: {\n    'not-leader': 'NONE',",
  ),
  mutant(
    'broker/refusals',
    'a commit that may not have happened is told as taken',
    "    overloaded: 'COORDINATOR_NOT_AVAILABLE',\n    'outcome-unknown': 'NOT_COORDINATOR',\n  },\n  read",
    "    overloaded: 'COORDINATOR_NOT_AVAILABLE',\n    'outcome-unknown': 'NONE',\n  },\n  read",
  ),
  mutant(
    'broker/refusals',
    'a heartbeat that nobody heard is told as taken',
    "  heartbeat: {\n    'not-leader': 'NOT_COORDINATOR',",
    "  heartbeat: {\n    'not-leader': 'NONE',",
  ),
  mutant(
    'broker/server',
    'requests that wait stay when leadership is lost',
    'if (!serving) this.#context.parked.coordinatorLost(shard);',
    '',
  ),
  mutant(
    'broker/server',
    'an answer to a waiting request goes to nobody',
    'else if (serving) this.#news(each);',
    '',
  ),
  mutant(
    'broker/handlers/cluster',
    'the coordinator of every group is the last replica',
    'facts.leaderOf(shard)',
    'facts.brokers().at(-1)',
  ),
];

const PAXOS: readonly Mutant[] = [
  mutant(
    'paxos/leader',
    'chosen is what the leader alone has accepted',
    'const through = acceptedByQuorum(marks, s.configuration.quorums, s.chosenThrough);',
    'const through = s.durableThrough;',
  ),
  mutant(
    'paxos/candidate',
    'a candidate leads with its own promise alone',
    'if (s.configuration.quorums.isPrepareQuorum(campaign.promised)) becomeLeader',
    'becomeLeader',
  ),
  mutant(
    'paxos/quorum',
    'a quorum is half, not more',
    'Math.floor(members.length / 2) + 1);',
    'Math.floor(members.length / 2));',
  ),
  mutant(
    'paxos/rounds',
    'a lease needs a quorum of the wrong kind',
    'if (this.#quorums.isAcceptQuorum(round.acknowledged)) confirmed = round;',
    'if (this.#quorums.isPrepareQuorum(round.acknowledged)) confirmed = round;',
  ),
  mutant(
    'paxos/candidate',
    'an election needs a quorum of the wrong kind',
    'if (s.configuration.quorums.isPrepareQuorum(campaign.promised)) becomeLeader',
    'if (s.configuration.quorums.isAcceptQuorum(campaign.promised)) becomeLeader',
  ),
  mutant(
    'paxos/progress',
    'chosen is what a quorum of the wrong kind has accepted',
    'reachedBy(quorums.isAcceptQuorum, marks, above)',
    'reachedBy(quorums.isPrepareQuorum, marks, above)',
  ),
  mutant(
    'paxos/acceptor',
    'a promise leaves before it is durable',
    "s.persist([{ kind: 'promised', ballot }], then);",
    "s.persist([{ kind: 'promised', ballot }], []);\n  for (const send of then) s.effects.push({ kind: 'send', ...send });",
  ),
  mutant(
    'paxos/acceptor',
    'an acceptance leaves before it is durable',
    's.persist(records, [acceptedReply(s, peer, s.matched, false)], s.matched);',
    "s.persist(records, [], s.matched);\n  s.effects.push({ kind: 'send', ...acceptedReply(s, peer, s.matched, false) });",
  ),
  mutant(
    'paxos/acceptor',
    'an acceptor accepts below its promise',
    "  if (compareBallots(ballot, s.hard.promised) < 0)\n    return s.send(peer.id, { kind: 'rejected', ballot: s.hard.promised });\n  s.highestSeen = maxBallot(s.highestSeen, ballot);\n  const follower",
    '  s.highestSeen = maxBallot(s.highestSeen, ballot);\n  const follower',
  ),
  mutant(
    'paxos/acceptor',
    'accepting does not raise the promise',
    '    s.hard.promised = ballot;\n    s.forgetMatched();\n  }\n  s.hearLeader',
    '    s.forgetMatched();\n  }\n  s.hearLeader',
  ),
  mutant(
    'paxos/ballot',
    'ballots are compared by their rounds alone',
    'return a.round - b.round || a.priority - b.priority || a.replica - b.replica;',
    'return a.round - b.round;',
  ),
  mutant(
    'paxos/campaign',
    'a candidate ignores what promises report',
    'if (position < campaign.fromSlot) return;',
    'return;',
  ),
  mutant(
    'paxos/campaign',
    'the value of the lowest ballot wins',
    'compareBallots(ballot, present.ballot) > 0)',
    'compareBallots(ballot, present.ballot) < 0)',
  ),
  mutant(
    'paxos/acceptor',
    'values are taken over a gap',
    'if (firstSlot > nextSlot(s.matched)) {',
    'if (false) {',
  ),
  mutant(
    'paxos/reads',
    'a leader without a lease answers at once',
    '  } else if (leaseHolds(s, now)) {',
    '  } else if (true) {',
  ),
  mutant(
    'paxos/leader',
    'a leader serves before it has applied its own no-op',
    '    serving: false,',
    '    serving: true,',
  ),
  mutant(
    'paxos/candidate',
    'a candidate need not reach a quorum',
    '  return isElectable(s, now);\n}\n\n/** Phase 1a',
    '  return true;\n}\n\n/** Phase 1a',
  ),
  mutant(
    'paxos/candidate',
    'a candidate campaigns against content peers',
    'if (reaches(s, peer, now) && peer.content) return false;',
    '',
  ),
  mutant(
    'paxos/acceptor',
    'a lease grant binds nobody',
    'if (!released && (now < s.leaseGrantUntil || leaseStands(s, now))) return;',
    '',
  ),
  mutant(
    'paxos/rounds',
    'a lease is twice as long as its grants',
    'this.leaseUntil = monotonicMs(sentAt + this.#leaseMs);',
    'this.leaseUntil = monotonicMs(sentAt + 2 * this.#leaseMs);',
  ),
  mutant(
    'paxos/state',
    'a restart forgets that it may have granted a lease',
    'found.anything ? now + Math.max(options.leaseMs, options.earlierLeaseMs ?? 0) : now,',
    'now,',
  ),
  mutant(
    'paxos/leader',
    'a leader that no quorum answers goes on',
    "if (!hearsQuorum(leader, now)) return deposed(s, now, 'no-quorum');",
    '',
  ),
  mutant(
    'paxos/step-down',
    'what a deposed leader proposed is told as not done',
    "s.failProposals([...former.ours.values()], 'outcome-unknown');",
    "s.failProposals([...former.ours.values()], 'not-leader');",
  ),
  mutant(
    'paxos/step-down',
    'what a deposed leader proposed is never answered',
    "s.failProposals([...former.ours.values()], 'outcome-unknown');",
    '',
  ),
  mutant(
    'paxos/learner',
    'the log is trimmed past its snapshot',
    'const covered = Math.min(through, s.announcedThrough);',
    'const covered = s.announcedThrough + 100;',
  ),
];

const GROUPS: readonly Mutant[] = [
  mutant(
    'guard/rule',
    'a stale fence is taken',
    'current !== null && current > token ?',
    'current !== null && current > token + 1_000n ?',
  ),
  mutant(
    'guard/rule',
    'a seal goes back',
    'if (present !== undefined && (present.token > token || foreign)) {',
    'if (present !== undefined && foreign) {',
  ),
  mutant(
    'groups/classic/requests',
    'a member of an older generation goes on',
    "return generation === group.generation ? 'NONE' : 'ILLEGAL_GENERATION';",
    "return generation <= group.generation ? 'NONE' : 'ILLEGAL_GENERATION';",
  ),
  mutant(
    'groups/classic/requests',
    'the check of generations is turned round',
    "return generation === group.generation ? 'NONE' : 'ILLEGAL_GENERATION';",
    "return generation !== group.generation ? 'NONE' : 'ILLEGAL_GENERATION';",
  ),
  mutant(
    'groups/classic/requests',
    'an owner whose partitions were revoked commits',
    "  if (verdict !== 'NONE') return verdict;\n  // In PreparingRebalance",
    "  if (verdict !== 'NONE' && verdict !== 'ILLEGAL_GENERATION') return verdict;\n  // In PreparingRebalance",
  ),
  mutant(
    'groups/fences',
    'a new owner gets the token of the one before',
    'next.#set(scope, { scope, owner, instanceId, ...granting });',
    'next.#set(scope, { scope, owner, instanceId, ...granting, token: grant?.token ?? granting.token });',
  ),
  mutant('replica/compaction', 'a log is cut in the middle of a command', '    host.finishApplying();\n', ''),
  mutant(
    'replica/shard-host',
    'a leader answers from before what is chosen',
    'if (this.leaseHolds()) return this.#toApply.afterwards(() => done(this.#view()));',
    'if (this.leaseHolds()) return done(this.#view());',
  ),
  mutant(
    'groups/classic/generation',
    'a rebalance keeps its generation',
    'generation(current + 1);',
    'generation(Math.max(1, current));',
  ),
  mutant(
    'groups/classic/barrier',
    'who does not join in time stays',
    "for (const member of missing) removeMember(turn, member, 'missed-rebalance');",
    '',
  ),
  mutant(
    'registers/snapshot',
    'a snapshot of records forgets their fences',
    'const fence = codec.nullable(codec.struct<FenceMark>({ scope: codec.string, token: codec.uint64 }));',
    'const inner = codec.nullable(codec.struct({ scope: codec.string, token: codec.uint64 }));\nconst fence = { write: (w) => inner.write(w, null), read: (r) => inner.read(r) };',
  ),
];

const WORKER: readonly Mutant[] = [
  mutant(
    'worker/machine',
    'a worker trusts its session for too long',
    'return this.#heardAt + sessionTimeoutMs * (1 - clockDriftRatio);',
    'return this.#heardAt + 2 * sessionTimeoutMs;',
  ),
  mutant(
    'worker/machine',
    'a worker that missed a generation goes on',
    "        this.#lose('the group has gone on without this member');\n        if (this.#phase !== 'leaving')",
    "        if (this.#phase !== 'leaving')",
  ),
  mutant(
    'worker/held-leases',
    'a lease outlives its token',
    'else if (wanted.token !== null && wanted.token !== entry.token) replaced.push(entry);',
    '',
  ),
  mutant(
    'client/assignors',
    'what moves is given away before its owner gave it up',
    'if (owner !== undefined && owner !== member.memberId) continue;',
    '',
  ),
  mutant(
    'client/group-client',
    'the coordinator is never looked up again',
    '    this.#coordinator = undefined;\n    for',
    '    for',
  ),
];

/** In rooms between the large ones: the identity of a disk, snapshots, hand-over, time, static members. */
const SEAMS: readonly Mutant[] = [
  mutant(
    'replica/first-vote',
    'a second word of a peer opens the shards before the peers are remembered',
    'if (disk.remembers(formedWith)) return',
    'if (disk.identity.formedWith === formedWith) return',
  ),
  mutant(
    'replica/snapshot-installer',
    'a snapshot of a peer is taken before it is written',
    '    storage.writeSnapshot(host.shard, through, inPieces(bytes), () => {\n      this.#ended(host, through);\n      if (host.install(restored))\n        log.info(`shard ${host.shard} has the state at slot ${through} from a snapshot of a peer`);\n    });',
    '    host.install(restored);\n    storage.writeSnapshot(host.shard, through, inPieces(bytes), () => this.#ended(host, through));',
  ),
  mutant(
    'replica/disk-positions',
    'how far a disk has come is never told',
    'if (position === this.#told) return undefined;',
    'if (position !== -1) return undefined;',
  ),
  mutant(
    'replica/disk-positions',
    'how far a disk has come is forgotten by a restart',
    'for (const [id, position] of Object.entries(identity.positions ?? {})) this.#heard.set(id, position);',
    '',
  ),
  mutant(
    'replica/cluster-clock',
    'the own wall clock is the time of the cluster',
    'return reachedBy((ids) => isFullQuorum(this.#quorums, ids), this.#known());',
    'return this.#clock.wall() - this.#clock.monotonic();',
  ),
  mutant(
    'replica/cluster-clock',
    'the agreed time follows the clocks at once',
    'const most = (now - this.#slewedAt) * SLEW;',
    'const most = Infinity;',
  ),
  mutant(
    'replica/remote-reads',
    'an answer to an earlier question counts',
    'if (underWay?.request !== request || underWay.to !== from) return;',
    'if (underWay === undefined) return;',
  ),
  mutant(
    'paxos/handover',
    'a leader hands over before the other has what is proposed',
    '  if (s.chosenThrough < lastSlot || peer.matched < lastSlot) return;\n',
    '',
  ),
  mutant(
    'paxos/handover',
    'a leader that hands over goes on',
    "  // The lease ends with the role.\n  becomeFollower(s, now, s.diskStallsFrom === undefined ? 'handed-over' : 'disk-stalls');\n",
    '',
  ),
  mutant(
    'replica/hand-over',
    'who stops in order asks nobody to lead',
    "if (transferee !== undefined) host.step({ kind: 'transfer', to: transferee.id });",
    'void transferee;',
  ),
  mutant(
    'storage/write-ahead-log',
    'who waits for a group hears of it when it is begun',
    '    this.#toDisk(bytes, at, waiting);',
    '    this.#toDisk(bytes, at, []);\n    for (const done of waiting) done();',
  ),
  mutant(
    'storage/write-ahead-log',
    'old segments go in a wrong order',
    'fileSystem.unlinkSync(this.#segments.shift()!.path);',
    'fileSystem.unlinkSync(this.#segments.splice(this.#segments[1]!.number < this.#baseSegment ? 1 : 0, 1)[0]!.path);',
  ),
  mutant(
    'storage/piecewise-file',
    'a snapshot takes its name unsynced',
    "openSync(`${this.#path}.tmp`, 'w+d')",
    "openSync(`${this.#path}.tmp`, 'w+')",
  ),
  mutant(
    'groups/fences',
    'a process under the name of a static member keeps the token of the one before',
    'this.#set(key, { ...this.#grants.get(key)!, owner: to, token });',
    'this.#set(key, { ...this.#grants.get(key)!, owner: to });',
  ),
  mutant(
    'groups/fences',
    'tokens start again in a restored group',
    'this.#set(this.#grants.has(scope) ? `${scope}\\u0000${owner}` : scope, grant);',
    'this.#set(this.#grants.has(scope) ? `${scope}\\u0000${owner}` : scope, { ...grant, token: 1 as never });',
  ),
  mutant(
    'broker/handlers/offsets',
    'a broker that does not coordinate a group reads its offsets',
    'if (!coordinator.serves(shard)) return undefined;',
    '',
  ),
  mutant(
    'groups/expiry',
    'an offset goes before its time',
    'return at >= (expiresAt ?? since + retentionMs) && !inUse(offset);',
    'return at >= (expiresAt ?? since + 300) && !inUse(offset);',
  ),
];

const CHANGES: readonly Mutant[] = [
  mutant(
    'replica/reconfigurer',
    'a new replica counts before it has caught up',
    'return known.chosenThrough >= mark && (known',
    'return (known',
  ),
  mutant(
    'replica/reconfigurer',
    'a shard seals whoever of the next replicas has caught up',
    'if (lacking !== undefined) return void this.#waits.set(host.shard, lacking);',
    '',
  ),
  mutant(
    'replica/reconfigurer',
    'a leader seals by what it knows of shard 0',
    'this.#sealIfCurrent(host, plan, configuration.number);',
    'host.reconfigure(nextOf(configuration.number, plan));',
  ),
  mutant(
    'replica/reconfigurer',
    'a plan takes any disk of a new replica',
    'if (peers.met.get(id)?.incarnation !== incarnation) return false;',
    '',
  ),
  mutant(
    'replica/reconfigurer',
    'a leader says that it has sealed without asking its followers',
    'host.read(({ kind }) => {',
    "((done: (of: { kind: string }) => void) => done({ kind: 'ok' }))(({ kind }) => {",
  ),
  mutant(
    'replica/reconfigurer',
    'who heard no leader knows who has caught up',
    'if (leadership.leader === undefined) continue;',
    '',
  ),
  mutant(
    'replica/reconfigurer',
    'a shard that is decided alike need not seal for a plan in the place of another',
    'configuration.number > before &&',
    '',
  ),
  mutant(
    'machine/replica-plan',
    'replicas of a plan whose place was taken are not removed',
    '[...view.current!.replicas, ...plan.further].filter(',
    'view.current!.replicas.filter(',
  ),
  mutant(
    'machine/replica-plan',
    'a plan is called off while it seals',
    "if (plan.phase === 'sealing')",
    'if (false)',
  ),
  mutant(
    'machine/replica-plan',
    'a plan ends with the first shard that has sealed',
    'if (sealed.length < shardCount)',
    'if (sealed.length < 1)',
  ),
  mutant(
    'paxos/state',
    'the quorums of the last configuration count on',
    'this.configuration = configurationOf(begun.configuration);',
    'const { quorums } = this.configuration ?? {};\n    this.configuration = { ...configurationOf(begun.configuration), ...(quorums && { quorums }) };',
  ),
  mutant(
    'paxos/state',
    'any disk of a member votes',
    'member.id === self && member.incarnation === incarnation',
    'member.id === self',
  ),
  mutant(
    'paxos/core',
    'messages of an ended configuration count',
    'if (message.configuration < number) return refuseEnded(s, peer, message);',
    '',
  ),
  mutant(
    'paxos/leader',
    'a leader goes on behind its seal',
    '  if (s.hard.log.seal !== undefined) return;\n  const { windowEntriesMax',
    '  const { windowEntriesMax',
  ),
  mutant(
    'paxos/reads',
    'who learns asks only those of its configuration',
    'if (!s.member || s.leader() === undefined)',
    'if (false)',
  ),
  mutant(
    'replica/roster',
    'a replica does not call who has called it',
    'if (members.calledBy(hello, disk.identity)) this.linksChanged();',
    '',
  ),
  mutant(
    'replica/formation',
    'who comes back meets a quorum of those that it knew',
    'const now = decidersNow(identity, { replicas, quorums }, met.values());',
    'const now = { replicas, quorums };',
  ),
  mutant(
    'storage/write-ahead-log',
    'what nobody waits for stays in memory',
    'if (!sync && this.#groupBytes < UNASKED_BYTES) return;',
    'if (!sync) return;',
  ),
].map((each) => ({ ...each, changes: true }));

export const MUTANTS: readonly Mutant[] = [
  ...STORAGE,
  ...SHELL,
  ...MEMORY,
  ...CLOCKS,
  ...VERSIONS,
  ...TRANSPORT,
  ...BROKER,
  ...PAXOS,
  ...GROUPS,
  ...WORKER,
  ...SEAMS,
  ...CHANGES,
];

/** What few seeds catch: for CI. */
export const CAUGHT_SOON: readonly string[] = [
  'a group is acknowledged before its sync',
  'a lost log keeps its vote',
  'no directory is synced',
  'a new file takes the place of the old one unsynced',
  'a short write counts as a whole one',
  'a new segment is not synced',
  'a leader without a lease answers at once',
  'a torn group is taken without its checksum',
  'a new leader arms no timers',
  'the retention sweep never runs',
];

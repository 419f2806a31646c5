import { readFileSync } from 'node:fs';

/** The ```ts blocks of a page, as they stand. What is no whole program (with `...`) is ```typescript. */
export const blocksOf = (page: string): readonly string[] =>
  readFileSync(page, 'utf8')
    .split('\n```ts\n')
    .slice(1)
    .map((text) => text.slice(0, text.indexOf('\n```')));

/** One block of a page: what its reader has already, in TypeScript. */
export interface Example {
  readonly page: string;
  /** From 0. */
  readonly block: number;
  readonly before: string;
  /** It is run, with this behind it: it must end the process with 0. */
  readonly proof?: string;
}

const MEMORY = `
import { MemoryStore, Records, type Fence, type VersionedRecord } from 'quorate/locking';
const store = new MemoryStore();
`;
const ACCOUNTS = `${MEMORY}
interface Account { owner: string; balance: number }
const accounts = new Records<Account>(store, 'accounts');
async function accountOf(partition: number): Promise<VersionedRecord<Account>> {
  await accounts.tryInsert(String(partition), { owner: 'ada', balance: 0 });
  return accounts.read(String(partition));
}
`;
/** Two jobs for each partition, and then none. */
const JOBS = `${ACCOUNTS}
async function* jobs(partition: number, signal: AbortSignal) {
  for (const position of [1n, 2n])
    yield { account: await accountOf(partition), change: { balance: Number(position) * 10 }, position };
  await new Promise((ended) => signal.addEventListener('abort', ended));
}
`;
const CONSUMER = `
import kafkajs from 'kafkajs';
const consumer = new kafkajs.Kafka({ brokers: ['127.0.0.1:9092'], logLevel: kafkajs.logLevel.NOTHING })
  .consumer({ groupId: \`on-kafkajs-\${process.pid}\`, heartbeatInterval: 200, maxWaitTimeInMs: 200 });
await consumer.connect();
await consumer.subscribe({ topics: ['tenants'] });
`;
const balancesAre = (wanted: number): string => `
for (let partition = 0; partition < 4; partition++)
  while ((await accounts.find(String(partition)))?.value.balance !== ${wanted})
    await new Promise((resume) => setTimeout(resume, 20));
`;
const WORKER_PROOF = `${balancesAre(20)}
while (worker.owned().some(({ position }) => position !== 2n)) await new Promise((resume) => setTimeout(resume, 20));
await worker.stop();
process.exit(0);
`;

const README: readonly Example[] = [
  {
    page: 'README.md',
    block: 0,
    before: `import { createWorker } from 'quorate/worker';${JOBS}
const jobsOf = (partition: number, signal: AbortSignal) => jobs(partition, signal);
`,
    proof: WORKER_PROOF,
  },
  {
    page: 'README.md',
    block: 1,
    before: `import { fencesOf } from 'quorate/locking/kafkajs';${CONSUMER}${ACCOUNTS}
const [topic, partition] = ['tenants', 0] as const;
const account = await accountOf(0);
void consumer.run({ eachMessage: async () => {} });
`,
    proof: `
if ((await accounts.read('0')).value.balance !== 10) process.exit(1);
await consumer.disconnect();
process.exit(0);
`,
  },
];

const WORKER: readonly Example[] = [
  {
    page: 'docs/worker.md',
    block: 0,
    before: `${JOBS}
const jobsOf = (partition: number, position: bigint | null, signal: AbortSignal) => jobs(partition, signal);
`,
    proof: WORKER_PROOF,
  },
  {
    page: 'docs/worker.md',
    block: 1,
    before: `import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { InjectRecords } from 'quorate/locking/nest';
${ACCOUNTS}
declare class Jobs { of(partition: number, position: bigint | null, signal: AbortSignal): AsyncIterable<{ account: VersionedRecord<Account>; change: Partial<Account>; position: bigint }> }
`,
  },
];

const FENCE = `
declare const fence: Fence;
`;
const LOCKING: readonly Example[] = [
  {
    page: 'docs/locking.md',
    block: 0,
    before: MEMORY.replace('Records, ', ''),
    proof: `
if ((await accounts.read('a-1')).value.balance !== 20) process.exit(1);
process.exit(0);
`,
  },
  { page: 'docs/locking.md', block: 1, before: '' },
  { page: 'docs/locking.md', block: 2, before: '' },
  { page: 'docs/locking.md', block: 3, before: `import { Redis } from 'ioredis';` },
  { page: 'docs/locking.md', block: 4, before: `import pg from 'pg';` },
  {
    page: 'docs/locking.md',
    block: 5,
    before: `import mysql from 'mysql2/promise';\ndeclare const url: string;`,
  },
  { page: 'docs/locking.md', block: 6, before: `import Database from 'better-sqlite3';` },
  {
    page: 'docs/locking.md',
    block: 7,
    before: `import pg from 'pg';
import Database from 'better-sqlite3';
import { ddl } from 'quorate/locking/sql';
declare const pool: pg.Pool;
declare const database: Database.Database;
`,
  },
  {
    page: 'docs/locking.md',
    block: 8,
    before: `import { Redis } from 'ioredis';
import { RedisStore } from 'quorate/locking/redis';
declare const redis: Redis;
`,
  },
  {
    page: 'docs/locking.md',
    block: 9,
    before: `${CONSUMER}${ACCOUNTS}
// Tokens that come late, on a busy machine, are told.
console.warn = () => undefined;
const enough = (signal: AbortSignal) =>
  new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
async function nextJob(partition: number, signal: AbortSignal) {
  const account = await accountOf(partition);
  return account.value.balance === 20 ? enough(signal) : { account, balance: account.value.balance + 10 };
}
`,
    proof: `${balancesAre(20)}
// The group shares out anew: the loops of before end, and none of them takes another job.
const other = new kafkajs.Kafka({ brokers: ['127.0.0.1:9092'], logLevel: kafkajs.logLevel.NOTHING })
  .consumer({ groupId: \`on-kafkajs-\${process.pid}\`, heartbeatInterval: 200, maxWaitTimeInMs: 200 });
const parted = new Promise((resolve) => fences.on('ended', resolve));
await other.connect();
await other.subscribe({ topics: ['tenants'] });
void other.run({ eachMessage: async () => {} });
await parted;
await Promise.all([consumer.disconnect(), other.disconnect()]);
await fences.settled();
for (const id of ['0', '1', '2', '3']) if ((await accounts.read(id)).value.balance !== 20) process.exit(1);
process.exit(0);
`,
  },
  {
    page: 'docs/locking.md',
    block: 10,
    before: `import { AggregateChange } from 'quorate/locking';${MEMORY}${FENCE}
declare const order: VersionedRecord<{ total: number }>;
declare const line: VersionedRecord<{ sku: string }>;
`,
  },
  {
    page: 'docs/locking.md',
    block: 11,
    before: `import pg from 'pg';
import { fencePredicate } from 'quorate/locking/sql';
import type { Fence } from 'quorate/locking';${FENCE}
declare const client: pg.Client;
declare const id: string;
`,
  },
  {
    page: 'docs/locking.md',
    block: 12,
    before: `import pg from 'pg';
import { PostgresStore } from 'quorate/locking/sql';
import type { Fence } from 'quorate/locking';${FENCE}
declare const pool: pg.Pool;
declare const client: pg.PoolClient;
`,
  },
  {
    page: 'docs/locking.md',
    block: 13,
    before: `import { Body, Controller, Module, Param, Put } from '@nestjs/common';
import { IfMatch, InjectRecords, LockingModule, Versioned } from 'quorate/locking/nest';${ACCOUNTS}`,
  },
];

const CONSUMER_TYPES = `
import type { Consumer } from 'kafkajs';
declare const consumer: Consumer;
`;
const TENANTS = `
interface Job { tenant: string; position: bigint }
declare function jobsOf(partition: number, signal: AbortSignal): AsyncIterable<Job>;
declare function compute(account: { balance: number }, job: Job): Promise<number>;
`;
const CHARGES = `
import type { Lease } from 'quorate/worker';
interface Charge { tenant: string; amount: number }
declare const connection: object;
declare class Worker {
  constructor(queue: string, handler: (job: { data: Charge }) => Promise<void>, options: object);
  close(): Promise<void>;
}
`;
const DUE = `
import type { VersionedRecord } from 'quorate/locking';
declare function dueInvoices(partition: number): Promise<readonly VersionedRecord<{ paid: boolean }>[]>;
declare function pause(ms: number, signal: AbortSignal): Promise<void>;
`;
const INVOICES = `
import { Records } from 'quorate/locking';
import { PostgresStore } from 'quorate/locking/sql';${DUE}`;
const RUNS = `${MEMORY}
declare const runs: Records<{ startedAt: number }>;
declare function dueRuns(): Promise<readonly VersionedRecord<{ startedAt: number }>[]>;
declare function pause(ms: number, signal: AbortSignal): Promise<void>;
`;
const MOVING: readonly Example[] = [
  {
    page: 'docs/moving/redlock.md',
    block: 0,
    before: `import { Redis } from 'ioredis';${TENANTS}declare const redis: Redis;\n`,
  },
  { page: 'docs/moving/redlock.md', block: 1, before: `${TENANTS}${CONSUMER_TYPES}${ACCOUNTS}` },
  { page: 'docs/moving/bullmq-groups.md', block: 0, before: `${CHARGES}${ACCOUNTS}` },
  { page: 'docs/moving/bullmq-groups.md', block: 1, before: `${CHARGES}${CONSUMER_TYPES}${ACCOUNTS}` },
  {
    page: 'docs/moving/advisory-locks.md',
    block: 0,
    before: `import pg from 'pg';${DUE}declare const pool: pg.Pool;
`,
  },
  {
    page: 'docs/moving/advisory-locks.md',
    block: 1,
    before: `import pg from 'pg';
import type { Lease } from 'quorate/worker';${INVOICES}
declare const client: pg.PoolClient;
declare const store: PostgresStore;
declare const lease: Lease;
declare const invoice: { readonly id: string };
`,
  },
  {
    page: 'docs/moving/advisory-locks.md',
    block: 2,
    before: `${INVOICES}${CONSUMER_TYPES}
declare const store: PostgresStore;
declare const invoices: Records<{ paid: boolean }>;
`,
  },
  { page: 'docs/moving/kubernetes-lease.md', block: 0, before: RUNS },
  { page: 'docs/moving/kubernetes-lease.md', block: 1, before: `${RUNS}${CONSUMER_TYPES}` },
];

export const EXAMPLES: readonly Example[] = [...README, ...WORKER, ...LOCKING, ...MOVING];

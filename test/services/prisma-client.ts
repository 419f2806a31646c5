import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { PrismaPg } from '@prisma/adapter-pg';
import type { PoolConfig } from 'pg';
import type { Prisma } from '../../examples/adapters/prisma.js';
import { fetched } from '../harness/fetched.js';

const run = promisify(execFile);

/** Of the only model, as far as the tests use it. */
export interface CounterModel {
  update(args: {
    readonly where: { readonly id: string; readonly version?: number };
    readonly data: { readonly n?: number; readonly version?: { readonly increment: number } };
  }): Promise<{ readonly version: number }>;
}
export interface GeneratedClient extends Prisma {
  readonly counter: CounterModel;
  $disconnect(): Promise<void>;
}
interface Generated {
  readonly PrismaClient: new (options: { readonly adapter: PrismaPg }) => GeneratedClient;
}

/** `table` has the columns of the model. */
const schemaOf = (table: string): string => `
generator client {
  provider     = "prisma-client"
  output       = "./generated"
  runtime      = "nodejs"
  moduleFormat = "esm"
}

datasource db {
  provider = "postgresql"
}

model Counter {
  id      String @id
  version Int
  n       Int

  @@map("${table}")
}
`;

/** Where scripts/fetch-prisma.sh puts it. */
const HOME = fetched('prisma-7.10.1', process.env['QUORATE_PRISMA_HOME']);
const CLI = join(HOME, 'node_modules/prisma/build/index.js');

/** With REQUIRE_SERVICES=1 they are not skipped, and fail where there is no Prisma. */
export const skipsPrisma = !existsSync(CLI) && process.env['REQUIRE_SERVICES'] !== '1';
if (skipsPrisma) console.warn('SKIPPED: tests with Prisma: run bash scripts/fetch-prisma.sh');

/** A real Prisma client over pg, generated on the spot; a part of it is loaded only when it is first used. */
export async function openPrisma(
  pool: PoolConfig,
  table = 'counters',
): Promise<{ readonly prisma: GeneratedClient; readonly close: () => Promise<void> }> {
  if (!existsSync(CLI)) throw new Error(`no Prisma in ${HOME}: run bash scripts/fetch-prisma.sh`);
  const directory = mkdtempSync(join(tmpdir(), 'quorate-prisma-'));
  writeFileSync(join(directory, 'schema.prisma'), schemaOf(table));
  symlinkSync(join(process.cwd(), 'node_modules'), join(directory, 'node_modules'));
  await run(process.execPath, [CLI, 'generate', '--schema', join(directory, 'schema.prisma')], {
    cwd: directory,
    // The engine of migrations is not used, and would be downloaded unless one is named.
    env: { ...process.env, PRISMA_SCHEMA_ENGINE_BINARY: process.execPath, CHECKPOINT_DISABLE: '1' },
  });
  const { PrismaClient } = (await import(join(directory, 'generated/client.ts'))) as Generated;
  const prisma = new PrismaClient({ adapter: new PrismaPg(pool) });
  return {
    prisma,
    close: async () => {
      await prisma.$disconnect();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

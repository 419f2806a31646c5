import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { MikroOrmManager } from '../../examples/adapters/mikro-orm.js';
import { fetched } from '../harness/fetched.js';

/** Where scripts/fetch-mikro-orm.sh puts it. */
const HOME = fetched('mikro-orm-7.2.5', process.env['QUORATE_MIKRO_ORM_HOME']);
const moduleOf = (name: string): string => join(HOME, 'node_modules/@mikro-orm', name, 'index.js');

/** With REQUIRE_SERVICES=1 they are not skipped, and fail where there is no MikroORM. */
export const skipsMikroOrm = !existsSync(moduleOf('postgresql')) && process.env['REQUIRE_SERVICES'] !== '1';
if (skipsMikroOrm) console.warn('SKIPPED: tests with MikroORM: run bash scripts/fetch-mikro-orm.sh');

interface Property {
  primary(): Property;
  version(): Property;
}
interface EntityOptions {
  readonly name: string;
  readonly tableName?: string;
  properties(p: { string(): Property; integer(): Property }): Readonly<Record<string, Property>>;
}
/** What `defineEntity` returns. */
type Entity = object;
/** A manager, as far as the tests use it. */
interface Manager extends MikroOrmManager {
  fork(): Manager;
  transactional<R>(work: (em: Manager) => Promise<R>): Promise<R>;
  find<Row>(entity: Entity, where: { readonly id: { readonly $in: readonly string[] } }): Promise<Row[]>;
  flush(): Promise<void>;
  execute(sql: string): Promise<unknown>;
}
export interface OpenMikroOrm {
  readonly em: Manager;
  close(force: boolean): Promise<void>;
}
interface MikroOrm {
  readonly defineEntity: (options: EntityOptions) => Entity;
  readonly MikroORM: { init(options: Readonly<Record<string, unknown>>): Promise<OpenMikroOrm> };
}

/** The modules of MikroORM; its types are those of this file. */
export async function loadMikroOrm(): Promise<MikroOrm> {
  const core = (await import(moduleOf('core'))) as Pick<MikroOrm, 'defineEntity'>;
  const postgres = (await import(moduleOf('postgresql'))) as Pick<MikroOrm, 'MikroORM'>;
  return { defineEntity: core.defineEntity, MikroORM: postgres.MikroORM };
}

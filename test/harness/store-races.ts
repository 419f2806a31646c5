import { afterAll, describe, expect, it } from '@jest/globals';
import {
  LockingError,
  MemoryStore,
  Records,
  type RecordStore,
  type VersionedRecord,
} from '../../src/locking/index.js';
import { account, type Account, fresh } from './store-under-test.js';

export interface Writer {
  readonly store: RecordStore;
  close(): Promise<void>;
}

/** More of them than this have to come through. */
const WRITES_MIN = 100;
const OVERTIME_MS = 120_000;

/**
 * Many writers on one record, each with a connection of its own, each adding one as fast as it can. RACE_MS: for how long.
 * @param name of the resource, with the fields of the conformance suite.
 */
export function storeRace(
  resource: string,
  openWriter: () => Promise<Writer>,
  { writers = 32, durationMs = Number(process.env['RACE_MS'] ?? 3_000) } = {},
): void {
  it(
    `${writers} writers on one record: no update is lost, and every failure is a conflict`,
    async () => {
      const id = fresh('race');
      const opened = await Promise.all(Array.from({ length: writers }, openWriter));
      try {
        await new Records<Account>(opened[0]!.store, resource).insert(id, account());
        const end = performance.now() + durationMs;
        // On a busy machine a slow store needs more time to get so far; one that stands still does not get there.
        const latest = end + OVERTIME_MS;
        let written = 0;
        const goesOn = (): boolean => {
          const now = performance.now();
          return now < end || (written <= WRITES_MIN && now < latest);
        };
        const failures = new Map<string, number>();
        await Promise.all(
          opened.map(async ({ store }) => {
            const records = new Records<Account>(store, resource);
            while (goesOn()) {
              const record = await records.read(id);
              const { kind } = await records.tryUpdate(record, { balance: record.value.balance! + 1 });
              if (kind === 'written') written++;
              else failures.set(kind, (failures.get(kind) ?? 0) + 1);
            }
          }),
        );
        const last = await new Records<Account>(opened[0]!.store, resource).read(id);
        expect(last).toMatchObject({ version: 1 + written, value: { balance: written } });
        expect([...failures.keys()]).toEqual(['version-conflict']);
        expect(written).toBeGreaterThan(WRITES_MIN);
      } finally {
        await Promise.all(opened.map((writer) => writer.close()));
      }
    },
    durationMs + OVERTIME_MS + 30_000,
  );
}

const STEPS = ['seal', 'read', 'update', 'insert'] as const;
type Step = (typeof STEPS)[number];

/** One owner of a partition: seals, reads what is there, changes it, and adds a record of its own. */
class Owner {
  refused = false;
  #read: VersionedRecord<Account> | undefined;
  constructor(
    readonly name: string,
    readonly token: bigint,
    readonly scope: string,
    readonly ids: { readonly shared: string; readonly own: string },
    readonly records: Records<Account>,
    readonly store: RecordStore,
  ) {}

  /** What became of the step: done, or refused by which error. */
  async perform(step: Step): Promise<string> {
    const fence = { scope: this.scope, token: this.token, owner: this.name };
    try {
      switch (step) {
        case 'seal':
          await this.store.seal(fence);
          break;
        case 'read':
          this.#read = await this.records.read(this.ids.shared);
          break;
        case 'update':
          await this.records.update(this.#read!, { owner: this.name }, { fence });
          break;
        case 'insert':
          await this.records.insert(this.ids.own, { ...account(), owner: this.name }, { fence });
      }
      return 'done';
    } catch (error) {
      if (error instanceof LockingError) return error.code;
      throw error;
    }
  }
}

/**
 * Two owners with the tokens t and t+1, stopped between their steps in every possible way: after the later one has
 * sealed, no write of the earlier one is taken, and the store answers each step exactly as the model in memory does.
 */
export function ownersInterleaved(resource: string, open: () => Promise<Writer>): void {
  describe('two owners of a partition, in every order of their steps', () => {
    let opened: Promise<readonly [Writer, Writer]> | undefined;
    const writers = (): Promise<readonly [Writer, Writer]> => (opened ??= Promise.all([open(), open()]));
    afterAll(async () => {
      for (const writer of await writers()) await writer.close();
    });

    it.each(interleavings(STEPS.length, STEPS.length))('%s', async (order) => {
      const [early, late] = await writers();
      const memory = new MemoryStore();
      const real = await play(order, early.store, late.store, resource);
      expect(real).toEqual(await play(order, memory, memory, resource));
    });
  });
}

/** `order`: `e` for a step of the earlier owner, `l` for one of the later. What each step gave, and what then stands there. */
async function play(
  order: string,
  early: RecordStore,
  late: RecordStore,
  resource: string,
): Promise<unknown> {
  const [scope, shared] = [fresh('g/t/0'), fresh('shared')];
  await new Records<Account>(late, resource).insert(shared, account());
  const owner = (name: string, token: bigint, store: RecordStore): Owner =>
    new Owner(name, token, scope, { shared, own: fresh(name) }, new Records(store, resource), store);
  const owners = { e: owner('early', 41n, early), l: owner('late', 42n, late) };
  const steps = { e: 0, l: 0 };
  const log: string[] = [];
  let sealed = false;
  for (const turn of order as Iterable<'e' | 'l'>) {
    const step = STEPS[steps[turn]++]!;
    const outcome = await owners[turn].perform(step);
    log.push(`${owners[turn].name} ${step}: ${outcome}`);
    if (sealed && turn === 'e' && step !== 'read') expect(outcome).toBe('stale-epoch');
    sealed ||= turn === 'l' && step === 'seal';
  }
  const records = new Records<Account>(late, resource);
  const [record, ...own] = await records.findAll([shared, owners.e.ids.own, owners.l.ids.own]);
  return {
    log,
    shared: { owner: record!.value.owner, version: record!.version, fence: record!.fence },
    own: own.map((found) => found?.fence),
  };
}

/** Every way to merge a run of `e` with a run of `l`. */
function interleavings(early: number, late: number): string[] {
  if (early === 0) return ['l'.repeat(late)];
  if (late === 0) return ['e'.repeat(early)];
  return [
    ...interleavings(early - 1, late).map((rest) => `e${rest}`),
    ...interleavings(early, late - 1).map((rest) => `l${rest}`),
  ];
}

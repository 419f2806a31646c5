import { Injectable } from '@nestjs/common';
import type { Records, VersionedRecord } from 'quorate/locking';
import { InjectRecords } from 'quorate/locking/nest';
import { Lease, OnPartition, PartitionWorker } from 'quorate/worker/nest';
import { Jobs, Prices } from './jobs.js';
import type { Account, Total } from './stores.js';

/** Charges the tenants of the partitions that this instance owns: here one tenant for each. */
@PartitionWorker('tenants')
@Injectable()
export class TenantsWorker {
  constructor(
    private readonly jobs: Jobs,
    private readonly prices: Prices,
    @InjectRecords('accounts') private readonly accounts: Records<Account>,
    @InjectRecords('totals', 'totals') private readonly totals: Records<Total>,
  ) {}

  /** When the lease is revoked the job in hand is finished: this method returns between two jobs. */
  @OnPartition()
  async work(@Lease() lease: Lease): Promise<void> {
    const tenant = `tenant-${lease.partition}`;
    let account = await this.accountOf(tenant, lease);
    for (;;) {
      const position = await this.jobs.next(lease.partition, account.value.position, lease.signal);
      if (position === undefined) return;
      account = await this.charge(account, position, lease);
      await this.publish(tenant, account.value.balance, lease);
      await lease.commit(position);
    }
  }

  /** PostgreSQL: refused with StaleEpochError once another instance has taken the partition over. */
  private async charge(
    account: VersionedRecord<Account>,
    position: number,
    fence: Lease,
  ): Promise<VersionedRecord<Account>> {
    const price = await this.prices.of(account.id);
    const value = { balance: account.value.balance + price, position };
    const version = await this.accounts.update(account, value, { fence });
    return { ...account, version, value };
  }

  /** Redis: the same fence, another store. */
  private async publish(tenant: string, balance: number, fence: Lease): Promise<void> {
    const total = await this.totals.find(tenant);
    if (total === undefined) await this.totals.insert(tenant, { balance }, { fence });
    else await this.totals.update(total, { balance }, { fence });
  }

  private async accountOf(tenant: string, fence: Lease): Promise<VersionedRecord<Account>> {
    const found = await this.accounts.find(tenant);
    if (found !== undefined) return found;
    await this.accounts.insert(tenant, { balance: 0, position: 0 }, { fence });
    return this.accounts.read(tenant);
  }
}

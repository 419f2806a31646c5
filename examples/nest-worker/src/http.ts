import { Controller, Get, Param } from '@nestjs/common';
import { HealthCheck, HealthCheckService, type HealthCheckResult } from '@nestjs/terminus';
import type { Records, VersionedRecord } from 'quorate/locking';
import {
  InjectHealthIndicator,
  InjectRecords,
  LockingHealthIndicator,
  Versioned,
} from 'quorate/locking/nest';
import { WorkerHealthIndicator } from 'quorate/worker/nest';
import type { Account } from './stores.js';

@Controller()
export class HttpController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly workers: WorkerHealthIndicator,
    private readonly postgres: LockingHealthIndicator,
    @InjectHealthIndicator('totals') private readonly redis: LockingHealthIndicator,
    @InjectRecords('accounts') private readonly accounts: Records<Account>,
  ) {}

  /** 503 while the group is not joined, its coordinator is silent, or a store does not answer. */
  @Get('health')
  @HealthCheck()
  check(): Promise<HealthCheckResult> {
    return this.health.check([
      () => this.workers.isHealthy(),
      () => this.postgres.isHealthy('accounts'),
      () => this.redis.isHealthy('totals'),
    ]);
  }

  @Get('accounts/:id')
  @Versioned()
  account(@Param('id') id: string): Promise<VersionedRecord<Account>> {
    return this.accounts.read(id);
  }
}

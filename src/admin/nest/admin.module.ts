import { type DynamicModule, Module } from '@nestjs/common';
import { AdminController } from './admin.controller.js';
import { BackupController } from './backup.controller.js';
import { GroupChangesController } from './group-changes.controller.js';
import { RecordsController } from './records.controller.js';
import { ReplicasController } from './replicas.controller.js';
import { TopicsController } from './topics.controller.js';
import { ADMIN_SOURCE } from './tokens.js';
import { UpgradeController } from './upgrade.controller.js';

/** The HTTP API over a provider of an AdminSource. */
@Module({})
export class AdminModule {
  /** `imports` provide and export `source`. */
  static over(source: symbol, imports: DynamicModule['imports'] = []): DynamicModule {
    return {
      module: AdminModule,
      imports,
      // Express tries routes in this order: those that are asked for thousands of times a second come first.
      controllers: [
        RecordsController,
        AdminController,
        GroupChangesController,
        TopicsController,
        ReplicasController,
        UpgradeController,
        BackupController,
      ],
      providers: [{ provide: ADMIN_SOURCE, useExisting: source }],
    };
  }
}

import {
  type BeforeApplicationShutdown,
  type DynamicModule,
  Inject,
  Module,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import { AdminModule } from '../admin/nest/index.js';
import type { Log } from '../kernel/index.js';
import { createLog } from './log.js';
import { ReplicaNode } from './node.js';
import type { Settings } from './settings.js';

const QUORATE_NODE = Symbol('quorate:node');
const QUORATE_ADMIN_SOURCE = Symbol('quorate:admin-source');

export interface QuorateModuleOptions {
  /** Checked settings, e.g. of `checkSettings`. `httpPort` is where the application listens; 0 says that peers need not know. */
  readonly settings: Settings;
  readonly log?: Log;
  /** The replica can no longer be trusted. Default: exit code 70, at once. */
  readonly onFatal?: (reason: string) => void;
}

/** Runs a replica inside a Nest application: it starts with the application and hands over before it stops. */
@Module({})
export class QuorateModule implements OnApplicationBootstrap, BeforeApplicationShutdown {
  readonly #node: ReplicaNode;

  constructor(@Inject(QUORATE_NODE) node: ReplicaNode) {
    this.#node = node;
  }

  static forRoot({
    settings,
    log = createLog(settings),
    onFatal = exitAtOnce,
  }: QuorateModuleOptions): DynamicModule {
    const core: DynamicModule = {
      module: QuorateModule,
      global: true,
      providers: [
        { provide: QUORATE_NODE, useFactory: () => ReplicaNode.open(settings, log, onFatal) },
        {
          provide: QUORATE_ADMIN_SOURCE,
          inject: [QUORATE_NODE],
          useFactory: (node: ReplicaNode) => node.admin,
        },
      ],
      exports: [QUORATE_NODE, QUORATE_ADMIN_SOURCE],
    };
    return {
      module: QuorateRoot,
      imports: [core, AdminModule.over(QUORATE_ADMIN_SOURCE, [core])],
      exports: [core],
    };
  }

  async onApplicationBootstrap(): Promise<void> {
    await this.#node.start();
  }
  async beforeApplicationShutdown(): Promise<void> {
    await this.#node.stop();
  }
}

@Module({})
class QuorateRoot {}

/** EX_SOFTWARE of sysexits.h. The supervisor restarts the process, which recovers from its disk. */
function exitAtOnce(): void {
  process.exit(70);
}

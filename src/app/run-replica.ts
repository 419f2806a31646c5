import 'reflect-metadata';
import type { AddressesJson } from '../admin/index.js';
import type { Log } from '../kernel/index.js';
import { addressesOf, httpListeners, ownEntry, withPortsChosen } from './addresses.js';
import { connectionLimits, openFilesMax } from './descriptors.js';
import { httpApplication, listenAlso } from './http-application.js';
import { HTTP_LIMITS, HttpClients } from './http-clients.js';
import { createLog } from './log.js';
import { QuorateModule, type QuorateModuleOptions } from './quorate.module.js';

/** The options of `QuorateModule.forRoot`, and those of a process of its own. */
export interface RunReplicaOptions extends QuorateModuleOptions {
  /** Logged at the start, e.g. those of `loadSettings`. */
  readonly warnings?: readonly string[];
  /** True: SIGTERM and SIGINT stop the replica and end the process. Default: signals are left to the caller. */
  readonly handleSignals?: boolean;
}

export interface RunningReplica {
  /** With the ports that were chosen where the settings say 0. The Kafka port opens when the replica is ready. */
  readonly addresses: AddressesJson;
  /** Hands leadership over, then closes the listeners and the disk. A second call waits for the first. */
  stop(): Promise<void>;
}

/** Runs one replica as a Nest application in this process. Throws what keeps it from starting, with a message that says what to do. */
export async function runReplica(options: RunReplicaOptions): Promise<RunningReplica> {
  const { warnings = [], handleSignals = false } = options;
  const log = options.log ?? createLog(options.settings);
  // The reader of the log may exit, and its pipe break. That is no reason for the replica to stop.
  process.stdout.on('error', () => undefined);
  // Before the application is made: it tells the HTTP port to the other replicas.
  const settings = await withPortsChosen(options.settings);
  const limits = connectionLimits(settings, openFilesMax());
  for (const warning of warnings) log.warn(warning);
  if (limits.warning !== undefined) log.warn(limits.warning);
  const own = ownEntry(settings);
  const module = QuorateModule.forRoot({ ...options, settings, log });
  const clients = new HttpClients({ ...HTTP_LIMITS, connectionsMax: limits.http }, log);
  const app = await httpApplication(module, log, clients);
  let closeFurther = (): void => undefined;
  let stopped: Promise<void> | undefined;
  const stop = (): Promise<void> => {
    stopped ??= (async () => {
      log.info('stopping');
      await app.close();
      closeFurther();
      log.info('stopped');
    })();
    return stopped;
  };
  if (handleSignals) stopOnSignals(stop, settings.shutdownTimeoutMs, log);
  if (own.httpPort === undefined) await app.init();
  else await app.listen(own.httpPort, settings.httpListenHost ?? own.host);
  closeFurther = await listenAlso(app, httpListeners(settings), clients);
  return { addresses: addressesOf(settings), stop };
}

/** The first signal stops the replica, within `timeoutMs`; a second one ends the process at once. */
function stopOnSignals(stop: () => Promise<void>, timeoutMs: number, log: Log): void {
  let stopping = false;
  const onSignal = (): void => {
    if (stopping) process.exit(1);
    stopping = true;
    setTimeout(() => {
      log.warn(`not stopped after ${timeoutMs} ms: ending anyway; what was acknowledged is on disk`);
      process.exit(1);
    }, timeoutMs).unref();
    stop().then(
      () => process.exit(0),
      (error: unknown) => {
        log.error(`could not stop cleanly: ${String(error)}`);
        process.exit(1);
      },
    );
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, onSignal);
}

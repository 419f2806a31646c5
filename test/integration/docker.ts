import { execFile } from 'node:child_process';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { describe, it as jestIt } from '@jest/globals';
import {
  type GenericContainer,
  getContainerRuntimeClient,
  Network,
  type StartedNetwork,
  type StartedTestContainer,
} from 'testcontainers';
import type { QuorateContainer, StartedQuorateContainer } from '../../src/app/testing/container/index.js';
import { LINES_ON_FAILURE, logsOnFailure } from '../../src/app/testing/logs-on-failure.js';

export const ROOT = new URL('../../', import.meta.url).pathname;
const OUTPUT_BYTES_MAX = 64 * 1024 * 1024;

/** The base that the image is built on, and that clients run in: the public one, or one that has Node and npm. */
export const BASE = process.env['QUORATE_TEST_BASE_IMAGE'] ?? 'node:24-bookworm-slim';
export const BUILD_MS_MAX = 900_000;
/** On a machine that is busy with much else. */
export const READY_MS_MAX = 240_000;
/** On a busy machine; alone a test takes less than a minute. */
export const TEST_MS_MAX = 240_000;
export const STEP_MS_MAX = 90_000;
/** The image under test. QUORATE_TEST_IMAGE names one that is built already. */
export const IMAGE = process.env['QUORATE_TEST_IMAGE'] ?? 'quorate-integration';

export const engine = async () => (await getContainerRuntimeClient()).container.dockerode;

async function engineMissing(): Promise<string | undefined> {
  try {
    await (await engine()).ping();
    return undefined;
  } catch (error) {
    return `no Docker engine answers: ${(error as Error).message}`;
  }
}
const missing = await engineMissing();

/** Skips loudly without a Docker engine; with REQUIRE_SERVICES=1 that is a failure. */
export function describeWithDocker(name: string, tests: () => void): void {
  if (missing === undefined) return describe(name, tests);
  if (process.env['REQUIRE_SERVICES'] === '1') throw new Error(`${name}: ${missing}`);
  console.warn(`SKIPPED ${name}: ${missing}`);
  describe.skip(name, tests);
}

type Lines = () => readonly string[] | Promise<readonly string[]>;
const shown = new Set<Lines>();
/** Lines that a test which fails from now on has at the end of its error. */
export function showOnFailure(lines: Lines): void {
  shown.add(lines);
}
/** What is gone by then has nothing to say. */
async function allShown(): Promise<readonly string[]> {
  const found = await Promise.allSettled([...shown].map(async (lines) => lines()));
  return found.flatMap((outcome) => (outcome.status === 'fulfilled' ? outcome.value : []));
}

/** As jest's own; a test that fails shows the last lines of every container that its file has started. */
export function it(name: string, test: () => Promise<void>, timeoutMs = TEST_MS_MAX): void {
  jestIt(name, () => logsOnFailure(test, allShown), timeoutMs);
}

/** Its replicas' lines are shown by tests that fail. */
export async function startQuorate(container: QuorateContainer): Promise<StartedQuorateContainer> {
  const quorate = await container.withStartupTimeout(READY_MS_MAX).start();
  showOnFailure(() => quorate.logs(LINES_ON_FAILURE));
  return quorate;
}

/** As docs and users build it, with the client of Docker. */
export async function buildImage(): Promise<void> {
  if (process.env['QUORATE_TEST_IMAGE'] !== undefined) return;
  const args = ['build', '--build-arg', `BASE=${BASE}`, '-f', 'docker/Dockerfile', '-t', IMAGE, '.'];
  // The classic builder, where there is no other.
  const env = { DOCKER_BUILDKIT: '0', ...process.env };
  await promisify(execFile)('docker', args, { cwd: ROOT, env, maxBuffer: OUTPUT_BYTES_MAX });
}

/** Containers of one test on one network; their lines are shown by tests that fail; `remove` leaves nothing of them. */
export class Stage {
  readonly network: StartedNetwork;
  readonly #own: boolean;
  readonly #started: StartedTestContainer[] = [];

  private constructor(network: StartedNetwork, own: boolean) {
    this.network = network;
    this.#own = own;
  }
  /** On a network of their own. */
  static async open(): Promise<Stage> {
    return new Stage(await new Network().start(), true);
  }
  /** On a network that somebody else removes. */
  static on(network: StartedNetwork): Stage {
    return new Stage(network, false);
  }

  /** Others on the network reach it as `host`. `onLine`: hears what it prints. */
  async start(
    host: string,
    container: GenericContainer,
    onLine: (line: string) => void = () => undefined,
  ): Promise<StartedTestContainer> {
    const lines: string[] = [];
    showOnFailure(() => lines);
    container.withLogConsumer((stream) => {
      createInterface({ input: stream }).on('line', (line) => {
        onLine(line);
        lines.push(`${host} ${line}`);
        if (lines.length > LINES_ON_FAILURE) lines.shift();
      });
    });
    try {
      const named = container.withNetwork(this.network).withNetworkAliases(host).withHostname(host);
      const started = await named.start();
      this.#started.push(started);
      return started;
    } catch (error) {
      throw new Error(`${host} did not start: ${(error as Error).message}\n${lines.join('\n')}`, {
        cause: error,
      });
    }
  }

  async remove(): Promise<void> {
    const docker = await engine();
    await Promise.all(
      this.#started.map((container) =>
        docker.getContainer(container.getId()).remove({ force: true, v: true }),
      ),
    );
    if (this.#own) await this.network.stop();
  }
}

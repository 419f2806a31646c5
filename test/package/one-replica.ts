import { writeFileSync } from 'node:fs';
import { Child } from '../harness/child.js';
import { freePorts } from '../harness/tcp-ports.js';
import { eventually } from '../harness/waiting.js';
import type { Project } from './project.js';

const READY_WITHIN_MS = 60_000;

/** The settings of a cluster of one replica, as a file in the project, and where it answers. */
export async function oneReplica(project: Project): Promise<{ readonly file: string; readonly url: string }> {
  const [peerPort, kafkaPort, httpPort] = await freePorts(3);
  const file = project.path(`replica-${httpPort}.json`);
  const settings = {
    replicaId: 1,
    clusterId: 'AAAAAAAAAAAAAAAAAAAAAA',
    dataDir: project.path(`data-${httpPort}`),
    replicas: [{ id: 1, host: '127.0.0.1', peerPort, kafkaPort, httpPort }],
  };
  writeFileSync(file, JSON.stringify(settings));
  return { file, url: `http://127.0.0.1:${httpPort}` };
}

/** The replica of this file, started with the project's own `quorate`. */
export const startReplica = (project: Project, file: string): Child =>
  new Child('replica', project.path('node_modules/.bin/quorate'), ['start', '--config', file]);

/** @throws Error with what it printed, when it ends before. */
export async function ready(url: string, child: Child): Promise<void> {
  await eventually(`${url} is ready`, READY_WITHIN_MS, async () => {
    if (!child.running) throw new Error(child.lines.join('\n'));
    return (await fetch(`${url}/health/ready`).catch(() => undefined))?.ok === true;
  });
}

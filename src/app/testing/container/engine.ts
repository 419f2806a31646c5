import { getContainerRuntimeClient, getReaper, LABEL_TESTCONTAINERS_SESSION_ID } from 'testcontainers';

/** The engine's own client (dockerode), for what testcontainers has no call for. */
export async function engine(): Promise<Engine> {
  return (await getContainerRuntimeClient()).container.dockerode;
}
/** By way of testcontainers: our types name no package that it brings along. */
type Engine = Awaited<ReturnType<typeof getContainerRuntimeClient>>['container']['dockerode'];
export type EngineContainer = ReturnType<Engine['getContainer']>;
export type EngineNetwork = ReturnType<Engine['getNetwork']>;

/** Where mapped ports are reached. */
export async function engineHost(): Promise<string> {
  return (await getContainerRuntimeClient()).info.containerRuntime.host;
}

/** A bridge network that leads nowhere else. It ends with the test session when nobody removes it. */
export async function internalNetwork(name: string): Promise<EngineNetwork> {
  const client = await getContainerRuntimeClient();
  const { sessionId } = await getReaper(client);
  const Labels = { 'org.testcontainers': 'true', [LABEL_TESTCONTAINERS_SESSION_ID]: sessionId };
  return client.container.dockerode.createNetwork({ Name: name, Driver: 'bridge', Internal: true, Labels });
}

/** With whatever is still connected to it. */
export async function removeNetwork(network: EngineNetwork): Promise<void> {
  const { Containers } = (await network.inspect()) as { Containers?: Readonly<Record<string, unknown>> };
  for (const id of Object.keys(Containers ?? {})) await network.disconnect({ Container: id, Force: true });
  await network.remove();
}

/** Each container writes its lines to one of two streams; the engine sends both in frames: kind, 3 bytes, length, bytes. */
export async function logLines(container: EngineContainer): Promise<readonly string[]> {
  const frames = await container.logs({ follow: false, stdout: true, stderr: true });
  const parts: Buffer[] = [];
  for (let at = 0; at + FRAME_HEADER_BYTES <= frames.length;) {
    const end = at + FRAME_HEADER_BYTES + frames.readUInt32BE(at + 4);
    parts.push(frames.subarray(at + FRAME_HEADER_BYTES, end));
    at = end;
  }
  return Buffer.concat(parts)
    .toString()
    .split('\n')
    .filter((line) => line !== '');
}
const FRAME_HEADER_BYTES = 8;

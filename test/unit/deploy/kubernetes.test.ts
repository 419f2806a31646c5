import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { StatefulSet } from 'kubernetes-models/apps/v1';
import { NetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1';
import { PodDisruptionBudget } from 'kubernetes-models/policy/v1';
import { Service } from 'kubernetes-models/v1';
import ts from 'typescript';
import { parse, parseAllDocuments } from 'yaml';
import { checkSettings } from '../../../src/app/configuration.js';
import { ROOT } from '../../harness/cluster.js';

const DIRECTORY = join(ROOT, 'docker/kubernetes');
const MODULES = {
  StatefulSet: 'apps/v1',
  NetworkPolicy: 'networking.k8s.io/v1',
  PodDisruptionBudget: 'policy/v1',
  Service: 'v1',
} as const;
const KINDS = { StatefulSet, NetworkPolicy, PodDisruptionBudget, Service } as const;

interface Manifest {
  readonly kind: keyof typeof KINDS;
  readonly metadata: { readonly name: string };
}
interface Kustomization {
  readonly resources: readonly string[];
  readonly configMapGenerator: readonly { readonly name: string; readonly literals: readonly string[] }[];
}

const read = (file: string): string => readFileSync(join(DIRECTORY, file), 'utf8');
const manifests = (file: string): Manifest[] =>
  parseAllDocuments(read(file)).map((document) => document.toJS() as Manifest);
const kustomization = parse(read('kustomization.yaml')) as Kustomization;
const all = kustomization.resources.flatMap(manifests);
const setOf = all.find(({ kind }) => kind === 'StatefulSet') as unknown as StatefulSet;
const [container] = setOf.spec!.template.spec!.containers;

/** As literals of the types that are made from the schemas: the compiler names each field that is not in them. */
function unknownFields(manifests: readonly Manifest[]): readonly string[] {
  const file = join(ROOT, 'test/unit/deploy/manifests.ts');
  const lines = manifests.flatMap((manifest, index) => [
    `import type { I${manifest.kind} as I${index} } from 'kubernetes-models/${MODULES[manifest.kind]}';`,
    `export const m${index}: I${index} = ${JSON.stringify(manifest)};`,
  ]);
  const options: ts.CompilerOptions = {
    ...{ strict: true, noEmit: true, skipLibCheck: true, types: [] },
    ...{ module: ts.ModuleKind.NodeNext, moduleResolution: ts.ModuleResolutionKind.NodeNext },
  };
  const host = ts.createCompilerHost(options);
  const [fileExists, readFile] = [host.fileExists.bind(host), host.readFile.bind(host)];
  host.fileExists = (name) => name === file || fileExists(name);
  host.readFile = (name) => (name === file ? lines.join('\n') : readFile(name));
  const program = ts.createProgram([file], options, host);
  return ts
    .getPreEmitDiagnostics(program)
    .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'));
}

describe('the manifests for Kubernetes', () => {
  it('are all in the kustomization', () => {
    const files = readdirSync(DIRECTORY).filter((file) => file !== 'kustomization.yaml');
    expect([...kustomization.resources].sort()).toEqual(files.sort());
  });

  it.each(all.map((manifest) => [`${manifest.kind} ${manifest.metadata.name}`, manifest] as const))(
    'are valid against the schema of Kubernetes: %s',
    (_, manifest) => {
      const model = new KINDS[manifest.kind](manifest);
      expect(() => void model.validate()).not.toThrow();
    },
  );

  it('are refused by that schema when they are wrong', () => {
    const wrong = structuredClone(setOf) as unknown as { spec: { replicas: unknown } };
    wrong.spec.replicas = 'three';
    expect(() => void new StatefulSet(wrong as never).validate()).toThrow('replicas');
  });

  // The schemas let unknown fields pass, as the API server does with a warning: one that is misspelt would do nothing.
  it('have no field that Kubernetes does not know', () => {
    expect(unknownFields(all)).toEqual([]);
    const wrong = structuredClone(setOf) as unknown as { spec: { template: { spec: object } } };
    Object.assign(wrong.spec.template.spec, { terminationGracePeriod: 30 });
    const found = unknownFields([wrong as unknown as Manifest]);
    expect(found).toEqual([expect.stringContaining('terminationGracePeriod')]);
  }, 120_000);

  it('start all replicas at once, and let them find each other before they are ready', () => {
    expect(setOf.spec!.podManagementPolicy).toBe('Parallel');
    const headless = all.find(
      ({ kind, metadata }) => kind === 'Service' && metadata.name === setOf.spec!.serviceName,
    ) as unknown as Service;
    expect(headless.spec).toMatchObject({ clusterIP: 'None', publishNotReadyAddresses: true });
  });

  it('give each pod settings that a replica starts with', () => {
    const names = container!.env!.map(({ name, value }): [string, string | undefined] => [name, value]);
    const environment = Object.fromEntries([
      ...kustomization.configMapGenerator[0]!.literals.map(
        (literal) => literal.split('=') as [string, string],
      ),
      ...names.map(([name, value]) => [name, value?.replaceAll('$(POD_NAMESPACE)', 'jobs')]),
    ]) as Record<string, string>;
    for (let ordinal = 0; ordinal < setOf.spec!.replicas!; ordinal++) {
      const { settings, warnings } = checkSettings(
        {},
        { ...environment, QUORATE_REPLICA_ID: String(ordinal) },
      );
      expect(settings.replicas).toHaveLength(setOf.spec!.replicas!);
      expect(settings.replicas[ordinal]!.host).toBe(`quorate-${ordinal}.quorate.jobs.svc`);
      expect(warnings).toEqual([]);
    }
  });

  it('leave a replica the time that it needs to hand over', () => {
    const { handOverMs, shutdownTimeoutMs } = checkSettings({
      replicaId: 1,
      clusterId: 'x'.repeat(22),
      replicas: [{ id: 1, host: 'a', peerPort: 1, kafkaPort: 2 }],
    }).settings;
    const { terminationGracePeriodSeconds } = setOf.spec!.template.spec!;
    expect(terminationGracePeriodSeconds! * 1_000).toBeGreaterThan(handOverMs + shutdownTimeoutMs);
  });
});

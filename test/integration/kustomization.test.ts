import { execFileSync, spawnSync } from 'node:child_process';
import { describe, expect, it } from '@jest/globals';
import { parseAllDocuments } from 'yaml';
import { ROOT } from './docker.js';

interface Resource {
  readonly kind: string;
  readonly metadata: { readonly name: string };
}
interface StatefulSet {
  readonly spec: {
    readonly template: {
      readonly spec: {
        readonly containers: readonly {
          readonly image: string;
          readonly envFrom: readonly { readonly configMapRef: { readonly name: string } }[];
        }[];
      };
    };
  };
}

const found = spawnSync('kubectl', ['kustomize', '--help']).status === 0;
if (!found && process.env['REQUIRE_SERVICES'] === '1')
  throw new Error('kubectl is missing: apt-get install kubernetes-client');
if (!found) console.warn('SKIPPED docker/kubernetes: kubectl is missing');

(found ? describe : describe.skip)('docker/kubernetes', () => {
  it('is a kustomization that kubectl builds: every resource, with the image and the cluster id that it names', () => {
    const built = execFileSync('kubectl', ['kustomize', 'docker/kubernetes'], {
      cwd: ROOT,
      encoding: 'utf8',
    });
    const resources = parseAllDocuments(built).map((document) => document.toJS() as Resource);
    expect(resources.map(({ kind }) => kind).sort()).toEqual(
      ['ConfigMap', 'NetworkPolicy', 'PodDisruptionBudget', 'Service', 'Service', 'StatefulSet'].sort(),
    );
    const of = (kind: string): Resource => resources.find((resource) => resource.kind === kind)!;
    const [container] = (of('StatefulSet') as unknown as StatefulSet).spec.template.spec.containers;
    expect(container!.image).toBe('quorate:latest');
    // With a hash of what is in it: a changed cluster id is another name, and reaches the pods.
    const { name } = of('ConfigMap').metadata;
    expect(name).toMatch(/^quorate-[a-z0-9]+$/);
    expect(container!.envFrom).toEqual([{ configMapRef: { name } }]);
  });
});

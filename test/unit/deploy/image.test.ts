import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';

interface Manifest {
  readonly dependencies: Readonly<Record<string, string>>;
}
const manifestOf = (path: string): Manifest => JSON.parse(readFileSync(path, 'utf8')) as Manifest;

describe('the image', () => {
  it('has every dependency of the package, in the same version', () => {
    expect(manifestOf('docker/package.json').dependencies).toMatchObject(
      manifestOf('package.json').dependencies,
    );
  });
});

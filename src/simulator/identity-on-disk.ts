import type { DiskIdentity } from '../replica/index.js';
import type { SimulatedDisk } from './disk.js';

/** What a disk says of itself, as it stands on the medium. */
export function identityOn(disk: SimulatedDisk): DiskIdentity | undefined {
  const bytes = disk.durable('/data/identity.json');
  return bytes === undefined
    ? undefined
    : (JSON.parse(bytes.toString()) as { readonly identity: DiskIdentity }).identity;
}

/** A disk whose replicas are those of the settings that it was first started with: no change of the replicas has reached it. */
export const isFounders = ({ formedWith, membership, joined }: DiskIdentity): boolean =>
  Object.keys(formedWith).length > 0 && joined !== true && (membership?.number ?? 0) === 0;

/** It has been told who votes. */
export function belongsToACluster(disk: SimulatedDisk): boolean {
  const identity = identityOn(disk);
  if (identity === undefined) return false;
  return Object.keys(identity.membership?.disks ?? identity.formedWith).length > 0;
}

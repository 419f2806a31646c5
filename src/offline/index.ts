export type * from './shapes.js';
export { checkDirectory } from './check.js';
export { dumpDirectory } from './dump.js';
export { OfflineError } from './offline-error.js';
export { BackupWriter } from './backup-writer.js';
export { type Backup, openBackup } from './backup-reader.js';
export { type NewCluster, restoreBackup } from './restore.js';
export { backUpSurvivor, survivor, type SurvivorJson } from './recover.js';

export { openFileStorage, type FileStorageOptions } from './file-storage.js';
export { DataDirectoryError } from './directory.js';
export { nodeFileSystem, type FileSystem, type OpenFlags } from './file-system.js';
export {
  blankDisk,
  openMemoryStorage,
  type MemoryDisk,
  type MemoryStorageOptions,
} from './memory-storage.js';
export { holderOf } from './directory-lock.js';
export { readStoppedDisk, type StoppedDisk, type StoppedSegment } from './stopped.js';
export { fillDirectory } from './fill.js';

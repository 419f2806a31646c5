import type { FileSystem } from '../storage/index.js';

/** What else is in a data directory that its owner may want to know of. */
export function notesOn(fileSystem: FileSystem, directory: string): readonly string[] {
  const names = fileSystem.readdirSync(directory);
  const aside = names.filter((name) => /^corrupt-\d+$/.test(name));
  const unfinished = names.filter((name) => name.endsWith('.tmp'));
  return [
    ...(aside.length === 0
      ? []
      : [`${aside.join(', ')}: a damaged log that an earlier start set aside; no replica uses it`]),
    ...(unfinished.length === 0
      ? []
      : [`${unfinished.join(', ')}: unfinished when the process ended; a start removes it`]),
    ...(names.includes('reserve') || !names.includes('identity.json')
      ? []
      : [
          'the space that is held back for a disk that gets full is not there: the disk is, or was, nearly full',
        ]),
  ];
}

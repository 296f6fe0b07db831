import { readdirSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';

import { readText } from './repository-file.js';

const root = path.resolve(import.meta.dirname, '../../..');

/** For each file of the service, the files that it imports, types included. */
export function importsByFile(): ReadonlyMap<string, readonly string[]> {
  const files = ['client', 'server', 'shared', 'workers'].flatMap((room) =>
    readdirSync(path.join(root, room), { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts')).map((file) => path.join(room, file)),
  );
  return new Map(
    files.map((file) => {
      const imported = ts.preProcessFile(readText(file)).importedFiles.filter(({ fileName }) => fileName.startsWith('.'));
      return [file, imported.map(({ fileName }) => path.join(path.dirname(file), fileName).replace(/\.js$/, '.ts'))];
    }),
  );
}

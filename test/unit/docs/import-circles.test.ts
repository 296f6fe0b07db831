import { expect } from 'chai';
import path from 'node:path';

import { importsByFile } from './imports-by-file.js';

/** Ways from a name back to itself; each circle is found once, from one of its names. */
function circles(arrows: ReadonlyMap<string, readonly string[]>): string[] {
  const found: string[] = [];
  const done = new Set<string>();
  const visit = (name: string, way: readonly string[]): void => {
    const at = way.indexOf(name);
    if (at >= 0) found.push([...way.slice(at), name].join(' -> '));
    if (at >= 0 || done.has(name)) return;
    for (const next of arrows.get(name) ?? []) visit(next, [...way, name]);
    done.add(name);
  };
  for (const name of arrows.keys()) visit(name, []);
  return found;
}

/** The same arrows between folders. Those between a folder and one inside it are left out: both are one room. */
function folderArrows(files: ReadonlyMap<string, readonly string[]>): ReadonlyMap<string, readonly string[]> {
  const arrows = new Map<string, Set<string>>();
  for (const [file, imported] of files) {
    const from = path.dirname(file);
    for (const to of imported.map((each) => path.dirname(each))) {
      if (to === from || to.startsWith(`${from}/`) || from.startsWith(`${to}/`)) continue;
      arrows.set(from, (arrows.get(from) ?? new Set()).add(to));
    }
  }
  return new Map([...arrows].map(([from, to]) => [from, [...to]]));
}

describe('the imports of the service', () => {
  const files = importsByFile();

  it('are found', () => {
    expect(files.get('server/main.ts')).to.include('server/create-server.ts');
    expect([...files.values()].flat().filter((file) => !files.has(file)), 'each one is a file of the service').to.deep.equal([]);
  });

  it('run in no circle of files', () => {
    expect(circles(files)).to.deep.equal([]);
  });

  it('run in no circle of folders', () => {
    expect(circles(folderArrows(files))).to.deep.equal([]);
  });

  it('run one way: server -> shared <- workers', () => {
    // The page runs in a browser: it takes the types of the API's answers from the client.
    const isPagesOwn = (file: string, to: string): boolean => file.startsWith('server/admin-page/') && to === 'client/answers.ts';
    const across = [...files].flatMap(([file, imported]) => imported.filter((to) => !to.startsWith('shared/') && !isPagesOwn(file, to) && to.split('/')[0] !== file.split('/')[0]).map((to) => `${file} -> ${to}`));
    expect(across).to.deep.equal([]);
  });
});

import { expect } from 'chai';
import { existsSync } from 'node:fs';
import path from 'node:path';

import { importsByFile } from './imports-by-file.js';
import { readText } from './repository-file.js';

const root = path.resolve(import.meta.dirname, '../../..');

/** The picture of rooms and arrows in docs/ARCHITECTURE.md. */
const [, picture = ''] = /```mermaid\nflowchart LR\n([^]*?)```/.exec(readText('docs/ARCHITECTURE.md')) ?? [];

interface Room {
  /** Such as `shared/queue`; `shared` is the frame around the rooms in it. */
  readonly folder: string;
  /** Words of its second line that can be names of folders: `tasks`, `flow`. */
  readonly words: readonly string[];
}

/** `queue["queue/<br/>tasks, search"]`, by the first word: the name that arrows use. */
function drawnRooms(): ReadonlyMap<string, Room> {
  const rooms = [...picture.matchAll(/^( *)(?:subgraph )?(\w+)\["([\w/-]+?)\/(?:<br\/>([^"]*))?"\]/gm)];
  return new Map(
    rooms.map(([, indent = '', name = '', folder = '', words = '']) => [name, { folder: indent.length > 4 ? `shared/${folder}` : folder, words: words.split(', ').filter((word) => /^[a-z-]+$/.test(word)) }]),
  );
}

/** The arrows between rooms, as folders. */
function drawnArrows(rooms: ReadonlyMap<string, Room>): readonly (readonly [from: string, to: string])[] {
  return [...picture.matchAll(/^ *(\w+) --> (\w+)$/gm)].flatMap(([, from = '', to = '']) => {
    const [start, end] = [rooms.get(from), rooms.get(to)];
    return start === undefined || end === undefined ? [] : [[start.folder, end.folder] as const];
  });
}

function roomOf(file: string): string {
  // It runs in a browser, and is a client of the API like others.
  if (file.startsWith('server/admin-page/')) return 'server/admin-page';
  return file.startsWith('shared/') ? file.split('/').slice(0, 2).join('/') : (file.split('/')[0] ?? '');
}

/** Imports from one room into another, each once: `shared/queue -> shared/redis`. */
function importedRooms(): readonly (readonly [from: string, to: string])[] {
  const arrows = new Map<string, readonly [string, string]>();
  for (const [file, imported] of importsByFile()) {
    for (const to of imported.map(roomOf)) if (to !== roomOf(file)) arrows.set(`${roomOf(file)} -> ${to}`, [roomOf(file), to]);
  }
  return [...arrows.values()];
}

describe('the rooms and arrows of docs/ARCHITECTURE.md', () => {
  const rooms = drawnRooms();
  const drawn = drawnArrows(rooms);
  const imported = importedRooms();

  it('are found', () => {
    expect([...rooms.values()].map(({ folder }) => folder)).to.include.members(['server', 'workers', 'shared', 'shared/queue', 'shared/domain']);
    expect(drawn.length).to.be.greaterThan(10);
    expect(imported.length).to.be.greaterThan(10);
  });

  it('draw every room that imports, or is imported', () => {
    const folders = [...rooms.values()].map(({ folder }) => folder);
    expect([...new Set(imported.flat())].filter((room) => !folders.includes(room))).to.deep.equal([]);
  });

  it('name folders that are there', () => {
    const named = [...rooms.values()].flatMap(({ folder, words }) => [folder, ...(folder === 'server' || folder === 'workers' || folder === 'shared/queue' ? words.map((word) => `${folder}/${word}`) : [])]);
    expect(named.filter((folder) => !existsSync(path.join(root, folder)))).to.deep.equal([]);
  });

  it('draw no arrow along which nothing is imported', () => {
    const stale = drawn.filter(([from, to]) => !imported.some(([start, end]) => start === from && (end === to || end.startsWith(`${to}/`))));
    expect(stale.map((arrow) => arrow.join(' -> '))).to.deep.equal([]);
  });

  it('draw a way for every import, along one arrow or several', () => {
    const reached = (from: string): Set<string> => {
      const found = new Set([from]);
      for (const place of found) for (const [start, end] of drawn) if (start === place) found.add(end);
      return found;
    };
    // An arrow to the frame is one to each room in it.
    const missing = imported.filter(([from, to]) => !reached(from).has(to) && !(reached(from).has('shared') && to.startsWith('shared/')));
    expect(missing.map((arrow) => arrow.join(' -> '))).to.deep.equal([]);
  });
});

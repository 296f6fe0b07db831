import { readdirSync } from 'node:fs';
import path from 'node:path';

import { expect } from 'chai';

import { readText } from './repository-file.js';

const root = path.resolve(import.meta.dirname, '../../..');

/** The code of the processes, all files in one. */
const code = ['server', 'shared', 'workers']
  .flatMap((room) => readdirSync(path.join(root, room), { recursive: true, encoding: 'utf8' }).map((file) => path.join(room, file)))
  .filter((file) => file.endsWith('.ts'))
  .map(readText)
  .join('\n');

describe('docs/OPERATIONS.md', () => {
  const [, watched = ''] = /^## What to watch$([^]*?)^## /m.exec(readText('docs/OPERATIONS.md')) ?? [];
  const quoted = watched.split('\n').flatMap((line) => {
    const [, first = ''] = /^\| ([^|]*) \|/.exec(line) ?? [];
    return [...first.matchAll(/`([^`]+)`/g)].map(([, text = '']) => text).filter((text) => !text.includes('GET ') && !text.startsWith('/'));
  });

  it('quotes log lines', () => {
    expect(quoted).to.include('uncaught error: stopping');
    expect(quoted.length).to.be.at.least(10);
  });

  for (const text of quoted) {
    it(`quotes what the code says: ${text}`, () => {
      expect(code).to.include(text);
    });
  }
});

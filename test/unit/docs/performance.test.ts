import { expect } from 'chai';

import { readText } from './repository-file.js';

describe('docs/PERFORMANCE.md', () => {
  it('has the notes of docs/performance-notes.md as they are (npm run bench -- --report)', () => {
    const notes = readText('docs/performance-notes.md');
    expect(readText('docs/PERFORMANCE.md')).to.include(`\n\n${notes.slice(notes.indexOf('## ')).trim()}\n\n## Figures\n`);
  });
});

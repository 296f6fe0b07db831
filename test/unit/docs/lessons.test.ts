import { expect } from 'chai';

import { readText } from './repository-file.js';

/** One row of docs/LESSONS.md. */
interface Lesson {
  readonly id: string;
  readonly tests: readonly { readonly file: string; readonly title: string }[];
}

const lessons: readonly Lesson[] = readText('docs/LESSONS.md').split('\n').filter((line) => /^\| L\d+ \|/.test(line)).map((line) => {
  const cells = line.split(' | ');
  return {
    id: /L\d+/.exec(cells[0] ?? '')?.[0] ?? '',
    tests: [...(cells[4] ?? '').matchAll(/`(test\/[^`]+\.ts)`: ([^;|]+)/g)].map(([, file = '', title = '']) => ({ file, title: title.trim() })),
  };
});

describe('docs/LESSONS.md', () => {
  it('has each lesson once, in order', () => {
    expect(lessons.map(({ id }) => id)).to.deep.equal(Array.from({ length: 44 }, (_, nth) => `L${nth + 1}`));
  });

  for (const { id, tests } of lessons) {
    it(`names a test that is there for ${id}`, () => {
      expect(tests).to.not.have.lengthOf(0);
      for (const { file, title } of tests) expect(readText(file), `${file} has no test whose name holds these words`).to.include(title);
    });
  }
});

import { expect } from 'chai';
import { readdirSync } from 'node:fs';
import path from 'node:path';

import { readText } from './repository-file.js';

const folder = 'docs/decisions';
const files = readdirSync(path.resolve(import.meta.dirname, '../../..', folder)).sort();
const numberOf = (file: string): number => Number.parseInt(file, 10);

describe('docs/decisions', () => {
  it('has one record for each number, from 1 on', () => {
    expect(files.map(numberOf)).to.deep.equal(files.map((_, index) => index + 1));
  });

  for (const file of files) {
    const text = readText(`${folder}/${file}`);

    it(`${file} begins with its number, its date and its status, and says which alternative lost`, () => {
      expect(text).to.match(new RegExp(`^# ${numberOf(file)}\\. \\S`));
      expect(text).to.match(/^Date: \d{4}-\d\d-\d\d\. Status: \S/m);
      for (const heading of ['Context', 'Decision', 'Consequences']) expect(text).to.match(new RegExp(`^## ${heading}$`, 'm'));
      expect(text).to.match(/^## (?:The )?(?:alternatives? that lost|what lost)$/im);
    });

    it(`${file} is named by the record that it supersedes, and names the one that supersedes it`, () => {
      for (const [, verb = '', other = ''] of text.matchAll(/\b(superseded by|[Ss]upersedes)\b[^(]*\(([^)]+\.md)\)/g)) {
        const answer = readText(`${folder}/${other}`);
        expect(answer, `${other} on ${file}`).to.match(verb === 'superseded by' ? new RegExp(`upersedes[^]*${file}`) : new RegExp(`superseded by[^]*${file}`));
      }
    });
  }
});

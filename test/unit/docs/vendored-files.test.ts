import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

import { expect } from 'chai';

import { readText } from './repository-file.js';

const folder = path.resolve(import.meta.dirname, '../../../vendor/swagger-ui');

describe('vendor/swagger-ui', () => {
  it('holds the files that its README lists, unchanged', () => {
    const listed = [...readText('vendor/swagger-ui/README.md').matchAll(/^\| (\S+) \| ([0-9a-f]{64}) \|$/gm)].map(([, name = '', sum = '']) => [name, sum]);
    const there = readdirSync(folder).filter((name) => name !== 'README.md');
    expect(listed.map(([name]) => name)).to.have.members(there);
    for (const [name = '', sum] of listed) expect(createHash('sha256').update(readFileSync(path.join(folder, name))).digest('hex'), name).to.equal(sum);
  });
});

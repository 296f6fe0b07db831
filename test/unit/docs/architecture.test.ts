import { expect } from 'chai';
import { existsSync } from 'node:fs';
import path from 'node:path';

import { finishedStates, taskStates } from '../../../shared/domain/task/task.js';
import { readPages } from '../../support/doc-blocks.js';
import { readText } from './repository-file.js';

const root = path.resolve(import.meta.dirname, '../../..');

/** The arrows of the state diagram; `[*]` is the world outside. */
function arrows(): { from: string; to: string; why: string }[] {
  const [, diagram = ''] = /```mermaid\nstateDiagram-v2\n([^]*?)```/.exec(readText('docs/ARCHITECTURE.md')) ?? [];
  return diagram
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const [, from, to, why] = /^ {2}(\S+) --> (\S+) : (\S.*)/.exec(line) ?? [];
      if (from === undefined || to === undefined || why === undefined) throw new Error(`no arrow: ${line}`);
      return { from, to, why };
    });
}

describe('docs/ARCHITECTURE.md', () => {
  it('draws exactly the states of shared/domain/task/task.ts', () => {
    const drawn = new Set(arrows().flatMap(({ from, to }) => [from, to]).filter((state) => state !== '[*]'));
    expect([...drawn]).to.have.members([...taskStates]);
  });

  it('draws a way to every state from a submission', () => {
    const reached = new Set(['[*]']);
    for (let size = 0; size !== reached.size;) {
      size = reached.size;
      for (const { from, to } of arrows()) if (reached.has(from)) reached.add(to);
    }
    expect([...reached]).to.have.members(['[*]', ...taskStates]);
  });

  it('draws finished states as states that only a person or a removal ends', () => {
    const finished: readonly string[] = finishedStates;
    const targets = arrows().filter(({ from }) => finished.includes(from)).map(({ to }) => to);
    expect(new Set(targets)).to.deep.equal(new Set(['scheduled', '[*]']));
    const removals = arrows().filter(({ from, to }) => from === 'parked' && to === '[*]').map(({ why }) => why);
    expect(removals, 'nothing but a person removes a parked task').to.deep.equal(['deleted by a person']);
  });

  for (const file of [...readPages().map((page) => page.file), 'CHANGELOG.md']) {
    it(`finds every file that ${file} names`, () => {
      const text = readText(file);
      const linked = [...text.matchAll(/\]\((?!https?:)([^)#]+)\)/g)].map(([, target]) => path.join(path.dirname(file), target ?? ''));
      const named = [...text.matchAll(/`((?:client|shared|server|workers|scripts|examples|docs|test)\/[\w./-]+)`/g)].map(([, target]) => target ?? '');
      const missing = [...linked, ...named].filter((target) => !existsSync(path.join(root, target)));
      expect(missing).to.deep.equal([]);
    });
  }
});

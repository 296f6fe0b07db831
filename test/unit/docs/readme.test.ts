import { expect } from 'chai';
import { existsSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';

import { createTaskParser } from '../../../server/tasks/schema.js';
import { delayBeforeAttemptMs } from '../../../shared/domain/task/retry-policy.js';
import { answerViolations, requestViolations } from '../../support/contract.js';
import { blocksOf, readPages, requestsOf } from '../../support/doc-blocks.js';
import { readText } from './repository-file.js';

const root = path.resolve(import.meta.dirname, '../../..');
const readme = readText('README.md');
const pages = readPages();
const blocks = pages.flatMap(blocksOf);
const samples = path.join(root, 'examples/tasks');

/** Sample tasks as the pages show them, by name: in a curl line, or as JSON under `<!-- sample: name -->`. */
function shownTasks(): Map<string, unknown> {
  const bodyOf = (name: string): unknown => blocks.filter((block) => block.name === name).flatMap(requestsOf)[0]?.body;
  const alone = pages.flatMap(({ text }) => [...text.matchAll(/<!-- sample: ([\w-]+) -->\n```json\n([^]*?)```/g)]);
  const named = alone.map(([, name = '', text = '']): [string, unknown] => [name, JSON.parse(text)]);
  return new Map([['http', bodyOf('first-task')], ['kafka', bodyOf('first-kafka-task')], ...named]);
}

/** The anchors of a page's headings, as GitHub and most renderers of Markdown make them. */
function anchorsOf(text: string): string[] {
  return [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => heading.toLowerCase().replace(/[^\w\- ]/g, '').replaceAll(' ', '-'));
}

describe('README.md', () => {
  it('has at most 900 words', () => {
    expect(readme.split(/\s+/).filter((word) => word !== '').length).to.be.at.most(900);
  });

  it('claims of speed only what docs/PERFORMANCE.md has measured', () => {
    const [[, lowest, highest] = [], ...others] = [...readme.matchAll(/(\d\.\d) to (\d\.\d) of a bare BullMQ/g)];
    expect(others).to.deep.equal([]);
    const ratios = [...readText('docs/PERFORMANCE.md').matchAll(/^\| delivered\/s, (?:attempt line logged|LOG_LEVEL=warn) .*?\| bare BullMQ \+ undici \| [\d,]+\/s +\| (\d\.\d+)/gm)].map(([, ratio]) => Number(ratio).toFixed(1));
    expect(ratios).to.have.lengthOf(2);
    for (const ratio of ratios) expect(Number(ratio), ratio).to.be.within(Number(lowest), Number(highest));
    expect(readme, 'a figure of speed in passing').to.not.match(/\d\/s\b|\bper second\b/);
  });

  it('has a picture for light and for dark pages', () => {
    expect(readme).to.include('](docs/how-it-works.svg)');
    expect(readText('docs/how-it-works.svg')).to.include('@media (prefers-color-scheme: dark)');
    for (const scheme of ['light', 'dark']) {
      expect(readme).to.include(`"docs/operations-page-${scheme}.png"`);
      expect(statSync(path.join(root, `docs/operations-page-${scheme}.png`)).size, '`npm run docs:screenshots` makes it').to.be.within(10_000, 150_000);
    }
  });
});

describe('README.md and docs', () => {
  for (const { file, text } of pages) {
    it(`${file} links to pages and headings that are there`, () => {
      const links = [...text.matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)/g)];
      const missing = links.filter(([, target = '', anchor]) => {
        const full = target === '' ? path.join(root, file) : path.join(root, path.dirname(file), target);
        if (!existsSync(full)) return true;
        return anchor !== undefined && !anchorsOf(readText(path.relative(root, full))).includes(anchor);
      });
      expect(missing.map(([link]) => link)).to.deep.equal([]);
    });
  }

  it('are all in the index of docs', () => {
    const index = readText('docs/README.md');
    // The notes are a part of PERFORMANCE.md.
    const missing = pages.filter(({ file }) => !['README.md', 'docs/README.md', 'docs/performance-notes.md'].includes(file) && !index.includes(`](${path.basename(file)})`));
    expect(missing.map(({ file }) => file)).to.deep.equal([]);
  });

  it('show the tasks of examples/tasks, and no others', () => {
    const shown = shownTasks();
    expect(readdirSync(samples).sort()).to.deep.equal([...shown.keys()].map((name) => `${name}.json`).sort());
    for (const [name, task] of shown) expect(task, name).to.deep.equal(JSON.parse(readText(`examples/tasks/${name}.json`)));
  });

  it('show tasks that are accepted, and that are as the contract says', () => {
    const parseTask = createTaskParser({ maxMessageBytes: 1_048_576, defaultJitter: 'none' });
    for (const [name, task] of shownTasks()) {
      expect(() => parseTask(task), name).to.not.throw();
      expect(requestViolations('POST', '/tasks', task), name).to.deep.equal([]);
    }
  });

  for (const block of blocks) {
    it(`${block.file} shows requests and answers that are as the contract says: ${block.name}`, () => {
      const requests = requestsOf(block);
      const curls = block.code.match(/\bcurl\b/g)?.length ?? 0;
      expect(requests, 'curl lines that this test understands').to.have.lengthOf(curls);
      for (const { method, path: where, body } of requests) {
        if (body !== undefined) expect(requestViolations(method, where, body), where).to.deep.equal([]);
      }
      const last = requests.at(-1);
      if (block.answer === undefined || last === undefined) return;
      const verdicts = [200, 201, 202].map((status) => answerViolations({ ...last, status, body: block.answer }));
      expect(verdicts, 'one of the answers that mean success').to.deep.include([]);
    });
  }

  it('show the times that retry-policy.ts computes', () => {
    const [, retries, base, table = ''] = /<!-- timeline: max_retries (\d+), base_delay (\d+) -->\n((?:\|.*\n)+)/.exec(readText('docs/RETRIES.md')) ?? [];
    const baseDelayMs = Number(base) * 1_000;
    const seconds = (time: string): number => time.split(':').reduce((sum, part) => sum * 60 + Number(part), 0);
    const rows = [...table.matchAll(/^\| (\d\d:\d\d:\d\d) \| (.+) \|$/gm)].map(([, time = '', text = '']) => ({ at: seconds(time), text }));

    const start = rows[0]?.at ?? NaN;
    const expected = [{ at: start, text: '`POST /tasks` is answered with 201' }];
    let at = start + baseDelayMs / 1_000;
    for (let attempt = 0; attempt < Number(retries); attempt += 1) {
      const wait = delayBeforeAttemptMs(attempt + 1, { baseDelayMs, maxDelayMs: 86_400_000, jitter: 'none' }, 0) / 1_000;
      expected.push({ at, text: `attempt ${attempt} fails, next in ${wait} s` });
      at += wait;
    }
    expected.push({ at, text: `attempt ${Number(retries)} fails, the retries are used up` });
    expected.push({ at, text: `the dead letter goes out, key \`<id>\\|dead\\|${Number(retries) + 1}\`` });
    expect(rows).to.deep.equal(expected);
  });

  it('mark every request for running that they show', () => {
    const shell = pages.flatMap(({ file, text }) => [...text.matchAll(/(?:<!-- test: [\w-]+ -->\n)?```sh\n([^]*?)```/g)].map(([block, code = '']) => ({ file, block, code })));
    const unmarked = shell.filter(({ block, code }) => /^(curl|node examples\/create-tasks)/m.test(code) && !block.startsWith('<!-- test: '));
    expect(shell.length).to.be.greaterThan(10);
    expect(unmarked.map(({ file, code }) => `${file}: ${code}`)).to.deep.equal([]);
  });

  it('name the address of the service once: examples take it from URL', () => {
    for (const { file, name, code } of blocks) expect(code.replace('export URL=http://localhost:8080\n', ''), `${file}, ${name}`).to.not.match(/:8080/);
  });
});

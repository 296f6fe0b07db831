import { expect } from 'chai';
import { readdirSync } from 'node:fs';
import path from 'node:path';

import { createTaskParser } from '../../../server/tasks/schema.js';
import { delayBeforeAttemptMs } from '../../../shared/domain/task/retry-policy.js';
import { readText } from './repository-file.js';

const readme = readText('README.md');
const folder = path.resolve(import.meta.dirname, '../../../examples/tasks');

/** Sample tasks as README shows them, by name: in a curl line, or as JSON under `<!-- sample: name -->`. */
function shownTasks(): Map<string, unknown> {
  const inCurl = [...readme.matchAll(/-d '(\{[^]*?\n\})'/g)].map(([, text = '']) => JSON.parse(text) as unknown);
  const alone = [...readme.matchAll(/<!-- sample: ([\w-]+) -->\n```json\n([^]*?)```/g)].map(([, name = '', text = '']): [string, unknown] => [name, JSON.parse(text)]);
  const [http, kafka, ...more] = inCurl;
  expect(more, 'requests without a name in this test').to.deep.equal([]);
  return new Map([['http', http], ['kafka', kafka], ...alone]);
}

describe('README.md', () => {
  it('shows the tasks of examples/tasks, and no others', () => {
    const shown = shownTasks();
    const files = readdirSync(folder).sort();
    expect(files).to.deep.equal([...shown.keys()].map((name) => `${name}.json`).sort());
    for (const [name, task] of shown) expect(task, name).to.deep.equal(JSON.parse(readText(`examples/tasks/${name}.json`)));
  });

  it('shows tasks that are accepted', () => {
    const parseTask = createTaskParser({ maxMessageBytes: 1_048_576, defaultJitter: 'none' });
    for (const [name, task] of shownTasks()) expect(() => parseTask(task), name).to.not.throw();
  });

  it('shows the times that retry-policy.ts computes', () => {
    const [, retries, base, table = ''] = /<!-- timeline: max_retries (\d+), base_delay (\d+) -->\n((?:\|.*\n)+)/.exec(readme) ?? [];
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

  it('marks every request for running that it shows', () => {
    const blocks = [...readme.matchAll(/(?:<!-- test: [\w-]+ -->\n)?```sh\n([^]*?)```/g)];
    const unmarked = blocks.filter(([block, code = '']) => /^(curl|node examples\/create-tasks)/m.test(code) && !block.startsWith('<!-- test: '));
    expect(blocks.length).to.be.greaterThan(3);
    expect(unmarked.map(([, code]) => code)).to.deep.equal([]);
  });
});

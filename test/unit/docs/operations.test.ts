import { readdirSync } from 'node:fs';
import path from 'node:path';

import { expect } from 'chai';

import { FLEET_SLOTS, slotShare } from '../../../shared/domain/flow/slot-share.js';
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

  it('tells nobody to start more workers for slots, without saying when that brings none', () => {
    const [, advice = ''] = /^### More sends at once$([^]*?)^## /m.exec(readText('docs/OPERATIONS.md')) ?? [];
    const total = (workers: number): number => workers * slotShare('auto', workers);
    expect([2, 20].map(total), 'two workers have all slots that there are up to twenty').to.deep.equal([FLEET_SLOTS, FLEET_SLOTS]);
    expect([1, 21].map((workers) => total(workers) === FLEET_SLOTS)).to.deep.equal([false, false]);
    expect(advice).to.contain(`Fewer than two workers run`).and.to.contain(`from two workers up to twenty`).and.to.contain('Set\n  `WORKER_CONCURRENCY` to a number');
    const others = readText('docs/OPERATIONS.md').replace(advice, '') + readText('deploy/prometheus/rules.yaml');
    expect(others.match(/.*\bstart more\b.*/g)).to.equal(null);
    for (const place of [/^\| `due` in `GET \/stats` grows.*$/m, /^4\. Nothing is held.*$/m, /^### KafkaRetryWorkersBusy$[^]*?^## /m, /^\| a task is not sent.*$/m]) expect(place.exec(others)?.[0]).to.contain('(#more-sends-at-once)');
  });
});

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { expect } from 'chai';

import { freePort } from '../../scripts/servers/free-port.mjs';
import { eventually } from '../support/eventually.js';
import { killWithUs } from '../support/kill-with-us.js';
import { call } from '../support/tasks.js';

describe('e2e: npm run demo', function () {
  this.timeout(120_000);

  it('shows deliveries and failures of several clients, and leaves nothing behind', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'demo-test-'));
    const port = await freePort();
    const demo = spawn(process.execPath, ['scripts/demo.mjs'], { env: { ...process.env, HTTP_PORT: String(port), TMPDIR: folder, REDIS_ADDR: '' }, stdio: ['ignore', 'pipe', 'pipe'] });
    killWithUs(demo);
    let output = '';
    for (const stream of [demo.stdout, demo.stderr]) stream.on('data', (chunk: Buffer) => { output += chunk.toString(); });
    const ended = once(demo, 'exit') as Promise<[number | null]>;
    try {
      await eventually(
        async () => {
          const { body } = await call(`http://127.0.0.1:${port}`, '/counts?by=client_id');
          expect((body['groups'] as unknown[]).length, output).to.equal(4);
          const { groups } = (await call(`http://127.0.0.1:${port}`, '/failures')).body as { groups: unknown[] };
          expect(groups.length).to.be.at.least(2);
        },
        { withinMs: 60_000, everyMs: 500 },
      );
      demo.kill('SIGINT');
      expect((await ended)[0], output).to.equal(0);
      expect(output).to.include('The service is running.').and.to.include('Stopped.');
      expect((await readdir(folder)).filter((name) => name.startsWith('kafka-retry-demo-'))).to.deep.equal([]);
    } finally {
      demo.kill('SIGKILL');
      await rm(folder, { recursive: true, force: true });
    }
  });
});

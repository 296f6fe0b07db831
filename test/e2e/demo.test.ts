import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { expect } from 'chai';

import { freePort } from '../../scripts/servers/free-port.mjs';
import { eventually } from '../support/eventually.js';
import { KafkaProbe, kafkaTestBroker } from '../support/kafka.js';
import { killWithUs } from '../support/kill-with-us.js';
import { call } from '../support/tasks.js';

describe('e2e: npm run demo', function () {
  this.timeout(120_000);

  it('names itself where its port is taken: the service without a demo is another program', async () => {
    const squatter = createServer().listen(0, '127.0.0.1');
    await once(squatter, 'listening');
    const { port } = squatter.address() as AddressInfo;
    const demo = spawn(process.execPath, ['scripts/demo.mjs'], { env: { ...process.env, HTTP_PORT: String(port), REDIS_ADDR: '' }, stdio: ['ignore', 'pipe', 'pipe'] });
    killWithUs(demo);
    let output = '';
    for (const stream of [demo.stdout, demo.stderr]) stream.on('data', (chunk: Buffer) => { output += chunk.toString(); });
    try {
      expect((await once(demo, 'close') as [number])[0]).to.equal(1);
      expect(output).to.match(/HTTP_PORT=\d+ npm run demo$/m);
    } finally {
      squatter.close();
    }
  });

  it('shows deliveries and failures of several clients, to Kafka too where a broker is found, and leaves nothing behind', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'demo-test-'));
    const port = await freePort();
    const { host, port: kafkaPort } = kafkaTestBroker();
    const kafka = new KafkaProbe({ host, port: kafkaPort });
    // Other tests use the broker meanwhile.
    const demoTopics = async (): Promise<readonly string[]> => (await kafka.topics()).filter((topic) => topic.startsWith('demo-'));
    const demo = spawn(process.execPath, ['scripts/demo.mjs'], { env: { ...process.env, HTTP_PORT: String(port), TMPDIR: folder, REDIS_ADDR: '', KAFKA_BROKERS: `${host}:${kafkaPort}` }, stdio: ['ignore', 'pipe', 'pipe'] });
    killWithUs(demo);
    let output = '';
    for (const stream of [demo.stdout, demo.stderr]) stream.on('data', (chunk: Buffer) => { output += chunk.toString(); });
    // `close`, not `exit`: only then is all output read.
    const ended = once(demo, 'close') as Promise<[number | null]>;
    try {
      await eventually(
        async () => {
          const { body } = await call(`http://127.0.0.1:${port}`, '/counts?by=client_id');
          expect((body['groups'] as unknown[]).length, output).to.equal(4);
          const { groups } = (await call(`http://127.0.0.1:${port}`, '/failures')).body as { groups: unknown[] };
          expect(groups.length).to.be.at.least(2);
          expect((await call(`http://127.0.0.1:${port}`, '/counts?destination_type=kafka&state=delivered')).body['count']).to.be.at.least(1);
        },
        { withinMs: 60_000, everyMs: 500 },
      );
      expect(await demoTopics()).to.have.lengthOf(2);
      demo.kill('SIGINT');
      expect((await ended)[0], output).to.equal(0);
      expect(output).to.include('The service is running.').and.to.include('Stopped.');
      expect(output, 'nothing that looks wrong stands before it').to.not.include('redis_unavailable');
      await eventually(async () => expect(await demoTopics()).to.deep.equal([]));
      expect((await readdir(folder)).filter((name) => name.startsWith('kafka-retry-demo-'))).to.deep.equal([]);
    } finally {
      demo.kill('SIGKILL');
      await kafka.close();
      await rm(folder, { recursive: true, force: true });
    }
  });
});

import { readFileSync } from 'node:fs';

import { expect } from 'chai';

import { eventually } from '../../support/eventually.js';
import { PrivateRedis } from '../../support/redis.js';
import { Service } from '../../support/service.js';
import { uniqueId } from '../../support/tasks.js';
import { openSockets } from '../process-facts.js';
import { Attack, getRequest, postHead } from './attack.js';

const MIB = 1_048_576;
const READERS = 50;
const CUT_WITHIN_MS = 60_000;
/** An idle API has 100 to 130 MiB. */
const MOST_MIB = 600;

/** The most that a process has had in memory so far, in MiB. */
const peakMiB = (pid: number): number => Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1_024;

describe('chaos: clients that do not read their answers', () => {
  let redis: PrivateRedis;
  let service: Service;
  let attack: Attack;

  before(async () => {
    redis = await PrivateRedis.start([]);
    service = await Service.start({ workers: 0, redis: redis.address });
    attack = new Attack(Number(new URL(service.baseUrl).port));
  });
  after(async () => {
    await attack.end();
    await service.close();
    await redis.close();
  });

  it(`are cut off within ${CUT_WITHIN_MS / 1_000} s, and cost the API no more than ${MOST_MIB} MiB`, async function () {
    this.timeout(CUT_WITHIN_MS + 30_000);
    const { pid } = service.server;
    const task = { id: uniqueId(), source: 's', client_id: 'c', destination_type: 'http', destination: { url: 'http://127.0.0.1:9/' }, on_exhausted: 'park', max_retries: 0, base_delay: 3_600, message_data: '\u0001'.repeat(MIB) };
    expect(await attack.post('/tasks', JSON.stringify(task))).to.equal(201);
    const bad = JSON.stringify({ ...task, destination_type: 'kafka', message_data: 'm', destination: { topic: 't', headers: Object.fromEntries(Array.from({ length: 900 }, (_, nth) => [`\u0001${nth}${'x'.repeat(6_000)}`, 'v'])) } });
    const requests = [
      getRequest(`/tasks/${task.id}?include=message_data`).repeat(10),
      postHead('/tasks', 'application/json', `Content-Length: ${Buffer.byteLength(bad)}`) + bad + getRequest('/openapi.yaml').repeat(5_000),
      getRequest('/openapi.yaml').repeat(20_000),
    ];
    const idle = openSockets(pid);
    for (let nth = 0; nth < READERS; nth += 1) {
      const socket = attack.connect();
      socket.pause();
      socket.write(requests[nth % requests.length] ?? '');
    }
    await eventually(() => { expect(openSockets(pid)).to.be.at.least(idle + READERS / 2); });
    await eventually(() => {
      expect(openSockets(pid), 'connections that are open').to.be.at.most(idle + 2);
    }, { withinMs: CUT_WITHIN_MS, everyMs: 250 });
    expect(peakMiB(pid), 'MiB').to.be.below(MOST_MIB);
    expect((await fetch(`${service.baseUrl}/readyz`)).status).to.equal(200);
  });
});

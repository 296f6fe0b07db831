import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';

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
/** An idle API has 130 MiB, and unread answers may have 128 MiB; what is collected later comes on top. */
const MOST_MIB = 600;

/** The most that a process has had in memory so far, in MiB. */
const peakMiB = (pid: number): number => Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1_024;

/**
 * Reads the first line of an answer, and nothing more than the system has handed over with it.
 * @returns undefined when the connection was cut off before
 */
async function statusOf(socket: Socket): Promise<number | undefined> {
  for (;;) {
    const line = socket.read('HTTP/1.1 200'.length) as Buffer | null; // a socket without an encoding yields Buffers
    if (line !== null) return Number(line.toString().slice(-3));
    if (socket.destroyed) return undefined;
    await new Promise<void>((resolve) => {
      socket.once('readable', resolve);
      socket.once('close', () => resolve());
    });
  }
}

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
    this.timeout(CUT_WITHIN_MS + 60_000);
    const { pid } = service.server;
    const task = { id: uniqueId(), source: 's', client_id: 'c', destination_type: 'http', destination: { url: 'http://127.0.0.1:9/' }, on_exhausted: 'park', max_retries: 0, base_delay: 3_600, message_data: '\u0001'.repeat(MIB) };
    expect(await attack.post('/tasks', JSON.stringify(task))).to.equal(201);
    const bad = JSON.stringify({ ...task, destination_type: 'kafka', message_data: 'm', destination: { topic: 't', headers: Object.fromEntries(Array.from({ length: 900 }, (_, nth) => [`\u0001${nth}${'x'.repeat(6_000)}`, 'v'])) } });
    const kinds: readonly (readonly [status: number, requests: string])[] = [
      [200, getRequest(`/tasks/${task.id}?include=message_data`).repeat(10)],
      [400, postHead('/tasks', 'application/json', `Content-Length: ${Buffer.byteLength(bad)}`) + bad + getRequest('/openapi.yaml').repeat(5_000)],
      [200, getRequest('/openapi.yaml').repeat(20_000)],
    ];
    const idle = openSockets(pid);
    let mostOpen = 0;
    for (let nth = 0; nth < READERS; nth += 1) {
      const [status, requests] = kinds[nth % kinds.length] ?? [0, ''];
      const socket = attack.connect();
      socket.write(requests);
      // One after the other: Redis gives out only so many large messages a second, and a 503 would fit into the system's buffers.
      expect(await statusOf(socket)).to.be.oneOf([status, undefined]);
      mostOpen = Math.max(mostOpen, openSockets(pid));
    }
    expect(mostOpen, 'connections that were open at once').to.be.at.least(idle + READERS / 4);
    await eventually(() => {
      expect(openSockets(pid), 'connections that are open').to.be.at.most(idle + 2);
    }, { withinMs: CUT_WITHIN_MS, everyMs: 250 });
    expect(peakMiB(pid), 'MiB').to.be.below(MOST_MIB);
    expect((await fetch(`${service.baseUrl}/readyz`)).status).to.equal(200);
  });
});

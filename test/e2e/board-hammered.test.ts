import { expect } from 'chai';

import { Service } from '../support/service.js';
import { httpTask, submitNew } from '../support/tasks.js';

const HAMMERED_MS = 4_000;

describe('e2e: Bull Board, hammered with its largest pages', function () {
  this.timeout(60_000);

  let service: Service;

  before(async () => {
    service = await Service.start({ workers: 0 });
  });
  after(() => service.close());

  async function waiting(count: number, message: string): Promise<void> {
    for (let nth = 0; nth < count; nth += 1) await submitNew(service.baseUrl, httpTask('http://127.0.0.1:9/hook', { initial_delay: 3_600, message_data: message }));
  }

  it('leaves the other requests quick, and Redis within reach', async () => {
    await waiting(20, '\u0001'.repeat(1_048_576));
    await waiting(100, 'm'.repeat(3_000));
    await waiting(100, 'm'.repeat(150_000));
    let isOver = false;
    const attackers = Array.from({ length: 16 }, async (_, nth) => {
      const statuses: number[] = [];
      while (!isOver) {
        const answer = await fetch(`${service.baseUrl}/admin/queues/api/queues?activeQueue=deliver-0&status=${nth % 2 === 0 ? 'latest' : 'delayed'}&page=${(nth % 4) + 1}&jobsPerPage=1000000`);
        await answer.arrayBuffer();
        statuses.push(answer.status);
      }
      return statuses;
    });
    const times: number[] = [];
    const startedAt = performance.now();
    while (performance.now() - startedAt < HAMMERED_MS) {
      const at = performance.now();
      await submitNew(service.baseUrl, httpTask('http://127.0.0.1:9/hook', { initial_delay: 3_600 }));
      times.push(performance.now() - at);
    }
    isOver = true;
    const statuses = (await Promise.all(attackers)).flat();
    expect(statuses).to.have.lengthOf.at.least(20);
    expect(statuses.filter((status) => status !== 200)).to.deep.equal([]);
    const p99 = times.sort((a, b) => a - b)[Math.floor(times.length * 0.99)];
    expect(p99).to.be.below(1_000);
    expect(service.output).to.not.include('redis is away');
  });
});

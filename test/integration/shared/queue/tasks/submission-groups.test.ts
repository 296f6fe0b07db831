import { expect } from 'chai';

import type { Admission } from '../../../../../shared/queue/tasks/submission.js';
import { InProcessService } from '../../../../support/service-in-process.js';
import { PrivateRedis } from '../../../../support/redis.js';
import { domainTask } from '../../../../support/tasks.js';

describe('submissions that come together', () => {
  let server: PrivateRedis;
  let service: InProcessService;

  before(async () => {
    server = await PrivateRedis.start();
    service = await InProcessService.ready({ redis: server.address });
  });
  after(async () => {
    await service.close();
    await server.close();
  });

  /** How many groups Redis got meanwhile: each is one transaction. */
  async function groupsOf(submitAll: () => Promise<readonly Admission[]>): Promise<number> {
    const transactions = async (): Promise<number> => Number((await service.redis.info('commandstats')).match(/cmdstat_exec:calls=(\d+)/)?.[1] ?? 0);
    const before = await transactions();
    const admissions = await submitAll();
    expect(new Set(admissions.map(({ kind }) => kind))).to.deep.equal(new Set(['created']));
    return (await transactions()) - before;
  }
  const submit = (): Promise<Admission> => service.queue.submit(domainTask());
  const atOnce = (count: number): Promise<Admission[]> => Promise.all(Array.from({ length: count }, submit));

  it('go in one group where they come in one turn, and a lone one waits for no other', async () => {
    expect(await groupsOf(() => atOnce(1))).to.equal(1);
    expect(await groupsOf(() => atOnce(20))).to.equal(1);
  });

  it('go early where they are many, and the rest behind them in groups of at most 200', async () => {
    expect(await groupsOf(() => atOnce(32 + 200 + 100))).to.equal(3);
  });

  it('go one by one where each waits for the one before', async () => {
    expect(await groupsOf(async () => {
      const admissions: Admission[] = [];
      for (let left = 5; left > 0; left -= 1) admissions.push(await submit());
      return admissions;
    })).to.equal(5);
  });
});

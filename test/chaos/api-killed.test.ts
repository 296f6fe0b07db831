import { expect } from 'chai';

import { eventually } from '../support/eventually.js';
import { getTaskAnswer } from '../support/tasks.js';
import { profile } from './profile.js';
import { scenario } from './scenario.js';

describe('chaos: the API', () => {
  scenario('2', `kill -9 the API ${profile.apiKills} times in the middle of requests`, async (scene) => {
    const { ledger, service } = await scene.stage();
    let server = await service.startServer();
    const stopLoad = ledger.startLoad(100);
    for (let kill = 0; kill < profile.apiKills; kill += 1) {
      const before = ledger.acked.size;
      await eventually(() => expect(ledger.acked.size).to.be.at.least(before + 30), { withinMs: 15_000 });
      // Into the middle of a burst: some of it is answered, some of it is not even read.
      const burst = ledger.tasks(100).map((task) => ledger.submit(task));
      await Promise.race(burst);
      await server.kill();
      await Promise.all(burst);
      server = await service.startServer();
    }
    ledger.faultIsOver();
    await stopLoad();
    const measured = await ledger.settle();
    const unanswered = ledger.posts.filter(({ status }) => status === undefined);
    const cutOff = unanswered.filter(({ error }) => error !== 'ECONNREFUSED');
    expect(cutOff.length, 'requests were cut off').to.be.above(0);
    let stored = 0;
    for (const { id } of unanswered) {
      const { status } = await getTaskAnswer(service.baseUrl, id);
      if (status === 200) stored += 1;
      expect(ledger.accepted(id).delivered, 'at most once').to.be.at.most(1);
    }
    expect(measured).to.include({ delivered: measured.acked, duplicates: 0 });
    return { ...measured, note: `${unanswered.length} requests without an answer, ${cutOff.length} of them on their way when it died, ${stored} stored, none twice` };
  });
});

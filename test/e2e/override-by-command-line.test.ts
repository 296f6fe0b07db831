import { expect } from 'chai';

import { EXIT } from '../../client/cli/exit-codes.js';
import { parkTasks } from '../support/bulk-actions.js';
import { CommandLine, type Ended } from '../support/command-line.js';
import { createReceiver, type Receiver } from '../support/receiver.js';
import { Service } from '../support/service.js';
import { getTask, waitForState } from '../support/tasks.js';

interface Shown {
  readonly state: string;
  readonly started: number;
  readonly override: unknown;
  readonly skipped: { readonly invalid?: number };
}

describe('e2e: kafka-retry redrive --override', () => {
  let service: Service;
  let receiver: Receiver;

  before(async () => {
    [service, receiver] = await Promise.all([Service.start(), createReceiver()]);
    receiver.on('/broken', { kind: 'answer', status: 400 });
  });
  after(async () => {
    await service.close();
    await receiver.close();
  });

  const redrive = (...args: readonly string[]): Promise<Ended> => CommandLine.run(['redrive', ...args, '--watch', '--yes', '--output', 'json'], { KAFKA_RETRY_URL: service.baseUrl, KAFKA_RETRY_OPERATOR: 'Anna' });

  it('starts tasks again with other values, which stand in the action and in each task', async () => {
    const ids = await parkTasks(service.baseUrl, receiver.url('/broken'), 3);
    const { code, out, err } = await redrive(...ids, '--override', `destination.url=${receiver.url('/mended')}`, '--override', 'max_retries=7');
    expect(code, err).to.equal(EXIT.done);
    // The program's own answer; what a test reads of it, it also compares.
    const shown = JSON.parse(out) as Shown;
    expect(shown).to.deep.include({ state: 'done', started: 3, override: { destination: { url: receiver.url('/mended') }, max_retries: 7 } });
    for (const id of ids) {
      await waitForState(service.baseUrl, id, 'delivered');
      expect(receiver.requestsFor(id).map(({ path }) => path)).to.deep.equal(['/broken', '/mended']);
      const { edits, timeline } = await getTask(service.baseUrl, id);
      expect([edits, timeline.filter(({ kind }) => kind === 'redriven').map(({ by }) => by)]).to.deep.equal([1, [{ type: 'anonymous', id: null, name: null, operator: 'Anna' }]]);
    }
  });

  it('says which tasks it does not fit, with an example and the rule, and exits with 1', async () => {
    const [id = ''] = await parkTasks(service.baseUrl, receiver.url('/broken'), 1);
    const { code, out, err } = await redrive(id, '--override', 'destination.topic=orders');
    expect(code).to.equal(EXIT.refused);
    expect(err).to.match(new RegExp(`the override does not fit 1 of them \\(invalid_task\\), such as ${id}: override.destination.url is required`));
    const { started, skipped } = JSON.parse(out) as Shown;
    expect([started, skipped.invalid]).to.deep.equal([0, 1]);
  });

  it('is refused by the service when no task could have it, and by the program when it is none', async () => {
    const refused = await redrive('any', '--override', 'max_retries=-1');
    expect([refused.code, refused.out]).to.deep.equal([EXIT.refused, '']);
    expect(refused.err).to.include('override.max_retries');
    const none = await redrive('any', '--override', 'max_retries');
    expect([none.code, none.err.split('\n')[0]]).to.deep.equal([EXIT.usage, 'kafka-retry: --override must be <field>=<value>, got "max_retries"']);
    const other = await CommandLine.run(['send-now', 'any', '--override', 'max_retries=1'], { KAFKA_RETRY_URL: service.baseUrl });
    expect(other.code).to.equal(EXIT.usage);
  });
});

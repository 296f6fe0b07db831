import { PassThrough, Readable } from 'node:stream';
import { expect } from 'chai';

import { EXIT } from '../../../client/cli/exit-codes.js';
import { runCommand } from '../../../client/cli/run-command.js';
import { createReceiver, type Receiver } from '../../support/receiver.js';
import { InProcessService } from '../../support/service-in-process.js';
import { httpTask, submitNew, waitForState } from '../../support/tasks.js';
import { readText } from '../../unit/docs/repository-file.js';

/** A person at 3 a.m. pastes them as they stand in docs/OPERATIONS.md, and puts names into the places that are left for them. */
describe('the commands of docs/OPERATIONS.md', () => {
  const written = [...new Set([...readText('docs/OPERATIONS.md').matchAll(/`kafka-retry ([^`]+)`/g)].map(([, command = '']) => command).filter((command) => command.includes(' ') || /^[a-z]+$/.test(command)))];
  let service: InProcessService;
  let receiver: Receiver;

  before(async () => {
    receiver = await createReceiver();
    service = await InProcessService.ready();
    await service.startWorker();
  });
  after(async () => {
    await service.close();
    await receiver.close();
  });

  async function idOf(state: 'scheduled' | 'parked'): Promise<string> {
    receiver.on('/parks', () => ({ kind: 'answer', status: 500 }));
    const task = httpTask(receiver.url('/parks'), { max_retries: 0, on_exhausted: 'park', ...(state === 'scheduled' ? { initial_delay: 3_600 } : {}) });
    await submitNew(service.baseUrl, task);
    await waitForState(service.baseUrl, task.id, state);
    return task.id;
  }

  async function run(args: readonly string[]): Promise<{ readonly code: number; readonly err: string }> {
    const [stdout, stderr] = [new PassThrough(), new PassThrough()];
    stdout.resume();
    const code = await runCommand(args, { stdin: Readable.from([]), stdout, stderr, environment: { KAFKA_RETRY_URL: service.baseUrl, KAFKA_RETRY_OPERATOR: 'Anna' } }, new AbortController().signal);
    stderr.end();
    return { code, err: (await stderr.setEncoding('utf8').toArray()).join('') };
  }

  it('are there', () => { expect(written.length).to.be.at.least(15); });

  for (const command of written) {
    it(`kafka-retry ${command}`, async () => {
      const id = command.includes('<id>') ? await idOf(command.startsWith('cancel') ? 'scheduled' : 'parked') : '';
      const destination = new URL(receiver.url('/')).origin;
      const text = command.replaceAll('<id>', id).replaceAll('<destination>', destination).replaceAll('https://...', receiver.url('/other'));
      const args = [...text.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map(([, single, double, bare]) => single ?? double ?? bare ?? '');
      const { code, err } = await run(args);
      if (args[0] === 'pause') await run(['resume', args[1] ?? '']);
      // `status` ends with 1 while something is not well: it is parked tasks here.
      expect(code, err).to.be.oneOf(args[0] === 'status' ? [EXIT.done, EXIT.refused] : [EXIT.done]);
    });
  }
});

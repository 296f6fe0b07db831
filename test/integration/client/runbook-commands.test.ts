import { PassThrough, Readable } from 'node:stream';
import { expect } from 'chai';

import { EXIT } from '../../../client/cli/exit-codes.js';
import { runCommand } from '../../../client/cli/run-command.js';
import { finishedStates } from '../../../shared/domain/task/task.js';
import { ADMIN_KEY, callWith, makeKey } from '../../support/access-keys.js';
import { eventually } from '../../support/eventually.js';
import { createReceiver, type Receiver } from '../../support/receiver.js';
import { InProcessService } from '../../support/service-in-process.js';
import { httpTask } from '../../support/tasks.js';
import { readText } from '../../unit/docs/repository-file.js';

/** A person at 3 a.m. pastes them as they stand in docs/OPERATIONS.md, and puts names into the places that are left for them. */
describe('the commands of docs/OPERATIONS.md', () => {
  const page = readText('docs/OPERATIONS.md');
  const written = [...new Set([...page.matchAll(/`kafka-retry ([^`]+)`/g)].map(([, command = '']) => command).filter((command) => command.includes(' ') || /^[a-z]+$/.test(command)))];
  let service: InProcessService;
  let receiver: Receiver;
  let key: string;

  before(async () => {
    receiver = await createReceiver();
    service = await InProcessService.ready({ bootstrapKey: ADMIN_KEY });
    await service.startWorker();
    // Just such a key as the page asks for.
    const [, role = '', permission = ''] = /^export KAFKA_RETRY_KEY=.*a key with the role (\w+).*permission (\w+)/m.exec(page) ?? [];
    ({ key } = await makeKey(service.baseUrl, { role, permissions: [permission] }));
  });
  after(async () => {
    await service.close();
    await receiver.close();
  });

  async function idOf(state: 'scheduled' | 'parked'): Promise<string> {
    receiver.on('/parks', () => ({ kind: 'answer', status: 500 }));
    const task = httpTask(receiver.url('/parks'), { max_retries: 0, on_exhausted: 'park', ...(state === 'scheduled' ? { initial_delay: 3_600 } : {}) });
    expect((await callWith(key, service.baseUrl, '/tasks', { method: 'POST', body: task })).status).to.equal(201);
    await eventually(async () => { expect((await callWith(key, service.baseUrl, `/tasks/${task.id}`)).body['state']).to.equal(state); });
    return task.id;
  }

  async function run(args: readonly string[]): Promise<{ readonly code: number; readonly out: string; readonly err: string }> {
    const [stdout, stderr] = [new PassThrough(), new PassThrough()];
    const read = [stdout, stderr].map(async (stream) => (await stream.setEncoding('utf8').toArray()).join(''));
    const never = new AbortController().signal;
    const code = await runCommand(args, { stdin: Readable.from([]), stdout, stderr, environment: { KAFKA_RETRY_URL: service.baseUrl, KAFKA_RETRY_OPERATOR: 'Anna', KAFKA_RETRY_KEY: key } }, { interrupted: never, outputEnded: never });
    for (const stream of [stdout, stderr]) stream.end();
    const [out = '', err = ''] = await Promise.all(read);
    return { code, out, err };
  }

  // A task that one command has started again is parked again a moment later. The next command must count the same tasks twice.
  beforeEach(() => eventually(async () => {
    const { body } = await callWith(key, service.baseUrl, '/tasks?limit=100');
    const states = (body['tasks'] as readonly { readonly state: string }[]).map(({ state }) => state);
    const finished: readonly string[] = finishedStates;
    expect(states.filter((state) => !finished.includes(state))).to.deep.equal([]);
  }));

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

  it('`kafka-retry stats` shows all that GET /stats has, as a table too', async () => {
    const { out } = await run(['stats', '--output', 'table']);
    expect(out).to.match(/^worker_facts/m).and.to.match(/^shard_rebuilds +0$/m).and.to.match(/^is_complete +true$/m).and.to.match(/^shards_away/m).and.to.match(/^parked +\d+$/m);
  });
});

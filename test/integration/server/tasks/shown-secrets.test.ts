import { expect } from 'chai';

import { jobField } from '../../../../shared/queue/engine/job-fields.js';
import { jobIdOf } from '../../../../shared/queue/names.js';
import { createReceiver, type Receiver } from '../../../support/receiver.js';
import { InProcessService } from '../../../support/service-in-process.js';
import { getTask, httpTask, submitNew, waitForState } from '../../../support/tasks.js';

/** In a path, in the path of a host whose paths are secret, in a query, and as a password. */
const SECRETS = ['a1b2c3d4e5f6g7h8i9j0', 'not-a-real-secret', 'key-in-a-query', 'hunter2'] as const;
const [TOKEN, WEBHOOK, QUERY, PASSWORD] = SECRETS;

for (const secretPathHosts of [undefined, '127.0.0.1']) {
  describe(`the secrets of a url, with SECRET_PATH_HOSTS ${secretPathHosts ?? 'not set'}`, () => {
    const segment = secretPathHosts === undefined ? TOKEN : WEBHOOK;
    let service: InProcessService;
    let receiver: Receiver;
    let path: string;
    let taskId: string;

    before(async () => {
      service = await InProcessService.ready(secretPathHosts === undefined ? {} : { secretPathHosts });
      receiver = await createReceiver();
      await service.startWorker();
      path = `/hook/${segment}`;
      // As frameworks answer an address that they do not know; this one also quotes the headers.
      receiver.on(path, ({ headers, path: asked }) => ({ kind: 'answer', status: 404, body: `Cannot POST ${asked} as ${headers['authorization'] ?? 'nobody'} (${PASSWORD})` }));
      const address = (where: string): string => receiver.url(where).replace('//', `//user:${PASSWORD}@`);
      const task = httpTask(`${address(path)}?api_key=${QUERY}#${QUERY}`, { dead_destination: { url: `${address(`/dead/${segment}`)}?api_key=${QUERY}` }, flow_key: `http://user:${PASSWORD}@127.0.0.1/${TOKEN}?${QUERY}` });
      taskId = task.id;
      await submitNew(service.baseUrl, task);
      await waitForState(service.baseUrl, taskId, 'dead_lettered');
    });
    after(async () => {
      await service.close();
      await receiver.close();
    });

    const expectNone = (text: string): void => {
      expect(text).to.contain('/*');
      for (const secret of [...SECRETS, Buffer.from(`user:${PASSWORD}`).toString('base64')]) expect(text).to.not.contain(secret);
    };

    it('are sent', () => {
      const [request] = receiver.requestsTo(path);
      expect([request?.path, request?.headers['authorization']]).to.deep.equal([`${path}?api_key=${QUERY}`, `Basic ${Buffer.from(`user:${PASSWORD}`).toString('base64')}`]);
    });

    it('are not in GET /tasks/:id, which says what the receiver said', async () => {
      const task = await getTask(service.baseUrl, taskId, '?include=message_data');
      expectNone(JSON.stringify(task));
      expect(task.timeline[0]?.error).to.equal('http_client_error: HTTP 404: Cannot POST ***?*** as Basic *** (***)');
    });

    it('are not in the dead letter', () => {
      const [letter] = receiver.requestsTo(`/dead/${segment}`);
      const { authorization: _ours, ...headers } = letter?.headers ?? {};
      expectNone(JSON.stringify(headers));
      expect(headers['x-retry-original-destination']).to.match(secretPathHosts === undefined ? /^http:\/\/127\.0\.0\.1:\d+\/hook\/\*[0-9a-f]{32}$/ : /^http:\/\/127\.0\.0\.1:\d+\/\*[0-9a-f]{32}\/\*[0-9a-f]{32}$/);
    });

    it('are not in the log', () => {
      const lines = service.log.split('\n').filter((line) => line.includes(taskId));
      expect(lines.length).to.be.at.least(2);
      expectNone(lines.join('\n'));
    });

    it('are not on the board', async () => {
      const board = `${service.baseUrl}/admin/queues/api/queues`;
      expectNone(await (await fetch(`${board}/deliver-0/${encodeURIComponent(jobIdOf(taskId))}`)).text());
      expectNone(await (await fetch(`${board}?activeQueue=deliver-0&status=failed&page=1&jobsPerPage=10`)).text());
    });

    it('are not in what is searched by', async () => {
      const [shard] = await service.queue.shards();
      const [search = '', ...others] = await service.redis.hmget(shard?.keys.job(taskId) ?? '', jobField.search, jobField.name, jobField.log);
      // The flow_key stands there as it is: it is compared with what a task says.
      expect(search).to.contain('/*').and.to.not.contain(`/hook/${segment}`);
      expectNone(others.join(' '));
    });
  });
}

import { Agent, request } from 'node:http';

import { expect } from 'chai';

import { eventually } from '../support/eventually.js';
import { Service } from '../support/service.js';
import { httpTask, type WireTask } from '../support/tasks.js';

const DELAY_MS = 4_000;
const CLIENTS = 20;
const POST_EVERY_MS = 50;

interface Answered {
  readonly status: number;
  readonly connection: string | undefined;
  readonly text: string;
  /** It came over a connection that had been used before. */
  readonly isKept: boolean;
}

/** A request whose body is sent in two parts: the second one when the promise is fulfilled. @throws what the connection says when it breaks */
function send(baseUrl: string, agent: Agent, path: string, body?: string, rest?: Promise<string>): Promise<Answered> {
  const { hostname, port } = new URL(baseUrl);
  return new Promise((resolve, reject) => {
    const sent = request({ hostname, port, path, agent, method: body === undefined ? 'GET' : 'POST', headers: body === undefined ? {} : { 'content-type': 'application/json', 'transfer-encoding': 'chunked' } }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => { text += chunk; });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, connection: response.headers.connection, text, isKept: sent.reusedSocket }));
      response.on('error', reject);
    });
    sent.on('error', reject);
    if (rest === undefined) {
      sent.end(body);
      return;
    }
    sent.write(body);
    void rest.then((more) => sent.end(more));
  });
}

const waiting = (): WireTask => httpTask('http://127.0.0.1:9/x', { initial_delay: 3_600 });

describe('e2e: an API that is told to stop, with SHUTDOWN_DELAY', function () {
  this.timeout(60_000);

  let service: Service;
  beforeEach(async () => { service = await Service.start({ workers: 0, settings: { SHUTDOWN_DELAY: `${DELAY_MS}ms` } }); });
  afterEach(() => service.close());

  it('is not ready any more, and answers everything for that long, each answer as the last of its connection', async () => {
    const { baseUrl, server } = service;
    const agents = Array.from({ length: CLIENTS }, () => new Agent({ keepAlive: true, maxSockets: 1 }));
    const idle = new Agent({ keepAlive: true, maxSockets: 1 });
    const answers: Answered[] = [];
    let isOver = false;
    /** Of each client: one request after the other, until a load balancer would have left this API out. */
    const clients = agents.map(async (agent) => {
      while (!isOver) {
        answers.push(await send(baseUrl, agent, '/tasks', JSON.stringify(waiting())));
        await new Promise((resolve) => setTimeout(resolve, POST_EVERY_MS));
      }
    });
    try {
      await send(baseUrl, idle, '/livez');
      await eventually(() => expect(answers.length).to.be.at.least(2 * CLIENTS));
      expect(answers.filter(({ isKept }) => isKept).length, 'connections are kept until then').to.be.above(0);
      let sendRest: (rest: string) => void = () => undefined;
      const batch = send(baseUrl, new Agent(), '/tasks/batch', `[${JSON.stringify(waiting())}`, new Promise((resolve) => { sendRest = resolve; }));

      const toldAt = performance.now();
      const ended = server.stop();
      await eventually(async () => expect(await send(baseUrl, new Agent(), '/readyz')).to.include({ status: 503, text: '{"status":"stopping","checks":{"redis":"ok"}}' }));
      const before = answers.length;
      await eventually(() => expect(answers.length).to.be.at.least(before + 3 * CLIENTS));
      const late = answers.slice(before + CLIENTS);
      expect(late.map(({ connection }) => connection)).to.include('close').and.to.not.include('keep-alive');
      const idleAnswer = await send(baseUrl, idle, '/livez');
      expect([idleAnswer.status, idleAnswer.isKept, idleAnswer.connection], 'a connection without requests is kept until the end').to.deep.equal([200, true, 'close']);
      isOver = true;
      await Promise.all(clients);
      expect(performance.now() - toldAt, 'all of that was within the delay').to.be.below(DELAY_MS);
      expect(new Set(answers.map(({ status }) => status))).to.deep.equal(new Set([201]));

      sendRest(`,${JSON.stringify(waiting())}]`);
      expect((await batch).status).to.be.oneOf([200, 201, 207]);
      expect(await ended).to.equal(0);
      expect(performance.now() - toldAt).to.be.at.least(DELAY_MS);
      const refused: unknown = await send(baseUrl, new Agent(), '/livez').catch((error: unknown) => error);
      expect(refused).to.be.instanceOf(Error).with.property('code', 'ECONNREFUSED');
    } finally {
      isOver = true;
      for (const agent of [...agents, idle]) agent.destroy();
      await Promise.allSettled(clients);
    }
  });
});

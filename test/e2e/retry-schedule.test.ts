import { expect } from 'chai';

import { createReceiver, failingFirst, type Receiver } from '../support/receiver.js';
import { Service } from '../support/service.js';
import { getTask, getTaskAnswer, httpTask, submitNew, timeOf, waitForState } from '../support/tasks.js';

/** How late a send may be here: the tests share two cores with a broker. What is promised is measured by the bench. */
const LATEST_MS = 4_000;

describe('e2e: when a task is sent', () => {
  let service: Service;
  let receiver: Receiver;

  before(async () => {
    service = await Service.start();
    receiver = await createReceiver();
  });
  after(async () => {
    await receiver.close();
    await service.close();
  });

  /** Pauses between a failure and the next send, as the receiver saw them, in milliseconds. */
  function pauses(taskId: string): number[] {
    const times = receiver.requestsFor(taskId).map(({ arrivedAt }) => arrivedAt);
    return times.slice(1).map((time, index) => time - (times[index] ?? NaN));
  }

  it('waits base_delay before the first send, and never sends early', async () => {
    const task = httpTask(receiver.url('/first'), { base_delay: 0.25 });
    delete (task as { initial_delay?: number }).initial_delay;
    const before = Date.now();
    const answer = await submitNew(service.baseUrl, task);
    const done = await waitForState(service.baseUrl, task.id, 'delivered');
    const startedAt = timeOf(done.timeline[0]?.started_at);
    expect(startedAt - before).to.be.within(250, 250 + LATEST_MS);
    expect(startedAt).to.be.at.least(timeOf(answer.body['next_attempt_at']));
    expect(receiver.requestsFor(task.id).map(({ key }) => key)).to.deep.equal([`${task.id}|0`]);
  });

  it('keeps the whole schedule with a base_delay of fractions of a second', async () => {
    receiver.on('/schedule', failingFirst(4, { kind: 'answer', status: 500 }));
    const task = httpTask(receiver.url('/schedule'), { base_delay: 0.0555, max_retries: 4, max_delay: 0.2 });
    await submitNew(service.baseUrl, task);
    await waitForState(service.baseUrl, task.id, 'delivered');
    const exact = [55.5, 111, 200, 200];
    const seen = pauses(task.id);
    expect(seen.length).to.equal(exact.length);
    exact.forEach((ms, index) => expect(seen[index], `before attempt ${index + 1}`).to.be.within(ms, ms + LATEST_MS));
    expect(receiver.requestsFor(task.id).map(({ key }) => key)).to.deep.equal([0, 1, 2, 3, 4].map((n) => `${task.id}|${n}`));
  });

  const spread: readonly (readonly [jitter: 'equal' | 'full', longestMs: number])[] = [
    ['equal', 1_000],
    ['full', 1_500],
  ];
  for (const [jitter, longestMs] of spread) {
    it(`spreads tasks that failed together with jitter ${jitter}, none before half of base_delay`, async () => {
      const path = `/herd-${jitter}`;
      receiver.on(path, failingFirst(1, { kind: 'answer', status: 500 }));
      const herd = Array.from({ length: 24 }, () => httpTask(receiver.url(path), { jitter, base_delay: 1, max_retries: 1 }));
      await Promise.all(herd.map((task) => submitNew(service.baseUrl, task)));
      for (const { id } of herd) await waitForState(service.baseUrl, id, 'delivered');
      const waits = herd.map(({ id }) => pauses(id)[0] ?? NaN);
      for (const wait of waits) expect(wait).to.be.within(500, longestMs + LATEST_MS);
      // By chance, each of these fails less than once in ten million runs.
      expect(Math.max(...waits) - Math.min(...waits), JSON.stringify(waits)).to.be.at.least((longestMs - 500) / 5);
      expect(Math.min(...waits), 'nothing is earlier than the exact schedule').to.be.below(1_000);
    });
  }

  it('delivers on the third try and shows all three', async () => {
    receiver.on('/third', failingFirst(2, { kind: 'answer', status: 503 }));
    const task = httpTask(receiver.url('/third'), { base_delay: 0.05, max_retries: 5 });
    await submitNew(service.baseUrl, task);
    const done = await waitForState(service.baseUrl, task.id, 'delivered');
    expect(done.timeline.map(({ attempt, outcome, error_code, http_status }) => ({ attempt, outcome, error_code, http_status }))).to.deep.equal([
      { attempt: 0, outcome: 'failed', error_code: 'http_busy', http_status: 503 },
      { attempt: 1, outcome: 'failed', error_code: 'http_busy', http_status: 503 },
      { attempt: 2, outcome: 'delivered', error_code: null, http_status: 200 },
    ]);
    expect(done.next_attempt_at).to.equal(null);
  });

  it('takes Retry-After as a minimum', async () => {
    receiver.on('/busy', failingFirst(1, { kind: 'answer', status: 429, headers: { 'retry-after': '1' } }));
    const task = httpTask(receiver.url('/busy'), { base_delay: 0.05, max_retries: 2 });
    await submitNew(service.baseUrl, task);
    await waitForState(service.baseUrl, task.id, 'delivered');
    expect(pauses(task.id)[0]).to.be.within(1_000, 1_000 + LATEST_MS);
  });

  it('caps Retry-After by max_delay', async () => {
    receiver.on('/greedy', failingFirst(1, { kind: 'answer', status: 503, headers: { 'retry-after': '3600' } }));
    const task = httpTask(receiver.url('/greedy'), { base_delay: 0.05, max_delay: 0.3, max_retries: 2 });
    await submitNew(service.baseUrl, task);
    await waitForState(service.baseUrl, task.id, 'delivered');
    expect(pauses(task.id)[0]).to.be.within(300, 300 + LATEST_MS);
  });

  it('says what a waiting task waits for', async () => {
    receiver.on('/down', () => ({ kind: 'answer', status: 500 }));
    const first = httpTask(receiver.url('/down'), { initial_delay: 3_600 });
    const failing = httpTask(receiver.url('/down'), { base_delay: 3_600, max_retries: 1 });
    await submitNew(service.baseUrl, first);
    await submitNew(service.baseUrl, failing);
    expect((await getTask(service.baseUrl, first.id)).waiting_for?.code).to.equal('initial_delay');
    const retrying = await waitForState(service.baseUrl, failing.id, 'retrying');
    expect(retrying.waiting_for?.code).to.equal('backoff');
    expect(retrying.waiting_for?.message).to.match(/attempt 0 of 1 failed with http_server_error/);
    expect(timeOf(retrying.next_attempt_at) - Date.now()).to.be.within(3_590_000, 3_600_000);
  });
});

describe('e2e: RETRY_JITTER', () => {
  let service: Service;

  before(async () => { service = await Service.start({ settings: { RETRY_JITTER: 'equal' }, workers: 0 }); });
  after(() => service.close());

  it('is the jitter of a task that names none, and kept with it', async () => {
    const silent = httpTask('http://127.0.0.1:9/', { initial_delay: 3_600 });
    const exact = httpTask('http://127.0.0.1:9/', { initial_delay: 3_600, jitter: 'none' });
    for (const [task, jitter] of [[silent, 'equal'], [exact, 'none']] as const) {
      await submitNew(service.baseUrl, task);
      const { body } = await getTaskAnswer(service.baseUrl, task.id);
      expect(body['policy']).to.include({ jitter });
    }
  });
});

import { expect } from 'chai';

import { EXIT } from '../../client/cli/exit-codes.js';
import { profile } from '../chaos/profile.js';
import { CommandLine } from '../support/command-line.js';
import { eventually } from '../support/eventually.js';
import { createReceiver, type Receiver } from '../support/receiver.js';
import { Service } from '../support/service.js';
import { call, httpTask, uniqueId, type WireTask } from '../support/tasks.js';

const isLong = profile.name === 'long';
const [WAITING, PARKED] = isLong ? [8_000, 2_000] : [1_600, 400];
const HOUR_S = 3_600;
/** All messages together are more than the program may keep in memory: each has a character that makes two bytes of all of its others. */
const MESSAGE_CHARACTERS = isLong ? 4_000 : 10_000;
const SMALL_MEMORY = { NODE_OPTIONS: `--max-old-space-size=${isLong ? 48 : 40}` };

interface Listed {
  readonly id: string;
  readonly state: string;
  readonly next_attempt_at: string | null;
}

describe('e2e: export and import', () => {
  let from: Service;
  let to: Service;
  let receiver: Receiver;

  before(async () => {
    // No worker takes what is imported, so it can be looked at.
    [from, to, receiver] = await Promise.all([Service.start({ settings: { FLOW_CIRCUIT: 'off', QUEUE_SHARDS: '2' } }), Service.start({ workers: 0 }), createReceiver()]);
    receiver.on('/refused', { kind: 'answer', status: 400 });
  });
  after(async () => {
    await Promise.all([from.close(), to.close()]);
    await receiver.close();
  });

  function taskOf(nth: number): WireTask {
    const id = uniqueId(`\u00fc/${nth}`);
    const message = JSON.stringify({ nth: `${nth}\u{1f600}`, padding: 'x'.repeat(MESSAGE_CHARACTERS) });
    const changes = { id, message_data: message, is_priority: nth % 10 === 0, ...(nth % 3 === 0 ? { flow_key: `tenant ${nth % 7}` } : {}) };
    if (nth >= WAITING) return httpTask(receiver.url('/refused'), { ...changes, on_exhausted: 'park' });
    return httpTask(receiver.url('/'), { ...changes, initial_delay: HOUR_S + nth, max_retries: 3, base_delay: 1.5 });
  }

  async function listed(service: Service): Promise<ReadonlyMap<string, Listed>> {
    const found = new Map<string, Listed>();
    for (let cursor: string | null = ''; cursor !== null; ) {
      const { status, body } = await call(service.baseUrl, `/tasks?limit=1000${cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`}`);
      expect(status).to.equal(200);
      for (const task of body['tasks'] as Listed[]) {
        expect(found.has(task.id), `${task.id} is listed twice`).to.equal(false);
        found.set(task.id, task);
      }
      cursor = body['next_cursor'] as string | null;
    }
    return found;
  }

  it(`bring ${WAITING} waiting and ${PARKED} parked tasks to another service: the same ids, contents and times, and none is lost`, async () => {
    const tasks = Array.from({ length: WAITING + PARKED }, (_, nth) => taskOf(nth));
    const submitted = await CommandLine.run(['submit', '--output', 'ndjson'], { KAFKA_RETRY_URL: from.baseUrl, ...SMALL_MEMORY }, tasks.map((task) => `${JSON.stringify(task)}\n`).join(''));
    expect([submitted.code, submitted.err]).to.deep.equal([EXIT.done, `${tasks.length} handed over\n`]);
    await eventually(async () => { expect((await call(from.baseUrl, '/counts?state=parked')).body['count']).to.equal(PARKED); }, { withinMs: 60_000, everyMs: 500 });

    const exported = await CommandLine.run(['export'], { KAFKA_RETRY_URL: from.baseUrl, ...SMALL_MEMORY });
    expect([exported.code, exported.err]).to.deep.equal([EXIT.done, `${tasks.length} written\n`]);
    const imported = await CommandLine.run(['import', '--output', 'ndjson'], { KAFKA_RETRY_URL: to.baseUrl, ...SMALL_MEMORY }, exported.out);
    expect([imported.code, imported.err]).to.deep.equal([EXIT.done, `${tasks.length} handed over\n`]);

    const [before, after] = await Promise.all([listed(from), listed(to)]);
    expect(new Set(after.keys())).to.deep.equal(new Set(tasks.map(({ id }) => id)));
    for (const { id, state, next_attempt_at: dueAt } of before.values()) {
      const there = after.get(id);
      expect(there?.state, id).to.equal('scheduled');
      if (state === 'parked') continue;
      // It waits for as long as it had to when its line was read, so it may be late by the time until it was stored.
      expect(Date.parse(there?.next_attempt_at ?? '') - Date.parse(dueAt ?? ''), id).to.be.within(-1_000, 60_000);
    }
    for (const { id } of tasks.filter((_, nth) => nth % 397 === 0)) {
      const [here, there] = await Promise.all([from, to].map(async ({ baseUrl }) => ({ ...(await call(baseUrl, `/tasks/${encodeURIComponent(id)}/submission`)).body, initial_delay: 0 })));
      expect(there, id).to.deep.equal(here);
    }
  }).timeout(240_000);
});

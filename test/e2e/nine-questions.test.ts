import { expect } from 'chai';

import { profile } from '../chaos/profile.js';
import { CommandLine, type Ended } from '../support/command-line.js';
import { eventually } from '../support/eventually.js';
import { createMisbehavingReceiver } from '../support/misbehaving-receiver.js';
import { Service } from '../support/service.js';
import { call, httpTask, timeOf, uniqueId, type WireTask } from '../support/tasks.js';

/** Nodes of an answer: a test that reads a field that is not there compares undefined. */
type Shown = Readonly<Record<string, unknown>>;

/** Tasks of each kind in 2,000; the long form has a hundred times as many. */
const mix = { ok: 1_000, invoices: 300, payments: 200, gone: 98, typo: 2, broken: 60, flaky: 80, held: 100, later: 160 } as const;
type Kind = keyof typeof mix;
const times = profile.name === 'long' ? 100 : 1;
const clients = ['acme', 'globex', 'initech', 'umbrella'] as const;
const LONGEST_MS = 30_000 * (times === 1 ? 4 : 20);

/** What the test itself knows of a task. */
interface Known {
  readonly task: WireTask;
  readonly kind: Kind;
  readonly order: number;
}

/** How each kind has ended, and what was sent for it. Written by hand: nothing here comes from an answer of the service. */
const ends: Readonly<Record<Kind, { readonly state: string; readonly path: string; readonly attempts: number; readonly failures: number; readonly error?: readonly [code: string, status: number | null]; readonly next?: 'retry' | 'dead_letter' | 'park' }>> = {
  ok: { state: 'delivered', path: '/ok', attempts: 1, failures: 0 },
  flaky: { state: 'delivered', path: '/flaky', attempts: 2, failures: 1, error: ['http_server_error', 500], next: 'retry' },
  invoices: { state: 'dead_lettered', path: '/invoices', attempts: 2, failures: 1, error: ['http_server_error', 500], next: 'dead_letter' },
  payments: { state: 'dead_lettered', path: '/payments', attempts: 2, failures: 1, error: ['http_server_error', 500], next: 'dead_letter' },
  broken: { state: 'dead_lettered', path: '/broken', attempts: 2, failures: 1, error: ['connection_reset', null], next: 'dead_letter' },
  gone: { state: 'parked', path: '/gone', attempts: 1, failures: 1, error: ['http_client_error', 404], next: 'park' },
  typo: { state: 'parked', path: '/gone/typo', attempts: 1, failures: 1, error: ['http_client_error', 404], next: 'park' },
  held: { state: 'scheduled', path: '/held', attempts: 0, failures: 0 },
  later: { state: 'scheduled', path: '/ok', attempts: 0, failures: 0 },
};

interface Found {
  readonly tasks: readonly Shown[];
  /** false: some may be missing, because they moved while they were read. */
  readonly isComplete: boolean;
}

/** Asks the service, and counts how often; a page behind a cursor belongs to the call before it. */
interface Door {
  readonly name: string;
  calls: number;
  find(filter: Readonly<Record<string, string>>): Promise<Found>;
  task(id: string): Promise<Shown>;
  failures(): Promise<readonly Shown[]>;
  status(): Promise<Shown>;
  audit(action: string, target: string): Promise<readonly Shown[]>;
  /** Sends dead letters of a destination again, if they are so many. @returns how many were matched before, and the action */
  redrive(destination: string, expected: number): Promise<{ readonly counted: unknown; readonly action: Shown }>;
  correctAndSend(id: string, url: string): Promise<void>;
}

describe('e2e: the nine questions of an operator', function () {
  this.timeout(LONGEST_MS * 2);

  let service: Service;
  let receiver: Awaited<ReturnType<typeof createMisbehavingReceiver>>;
  const ledger: Known[] = [];
  const doors: { api: Door; program: Door } = { api: apiDoor(), program: programDoor() };

  const of = (...kinds: readonly Kind[]): readonly Known[] => ledger.filter(({ kind }) => kinds.includes(kind));
  const first = (kind: Kind): Known => {
    const [found] = of(kind);
    if (found === undefined) throw new Error(`no task of ${kind}`);
    return found;
  };
  const keyOf = (kind: Kind): string => receiver.url(ends[kind].path);
  const idsOf = (tasks: readonly Shown[]): readonly unknown[] => tasks.map(({ id }) => id).sort();

  before(async () => {
    [service, receiver] = await Promise.all([Service.start({ settings: { FLOW_CIRCUIT: 'off', DELIVERED_MAX: '1000000' } }), createMisbehavingReceiver()]);
    receiver.on('/gone/typo', { kind: 'answer', status: 404 });
    const paused = await call(service.baseUrl, `/destinations/${encodeURIComponent(keyOf('held'))}/pause`, { method: 'POST', headers: { 'content-type': 'application/json', 'x-operator': 'Anna' }, body: '{"reason":"they move"}' });
    expect(paused.status).to.equal(200);
    for (const kind of Object.keys(mix) as Kind[]) {
      for (let nth = 0; nth < mix[kind] * times; nth += 1) ledger.push(newTask(kind, nth));
    }
    for (let from = 0; from < ledger.length; from += 1_000) await submitAll(ledger.slice(from, from + 1_000));
    const sends = ledger.reduce((sum, { kind }) => sum + ends[kind].attempts, 0);
    await eventually(async () => {
      // A request whose connection broke before an answer may have been sent twice, as one attempt.
      expect(receiver.requests.length).to.be.at.least(sends);
      const { counts } = (await call(service.baseUrl, '/stats')).body as { counts: Shown };
      expect(counts['sending']).to.equal(0);
      expect([counts['dead_lettered'], counts['parked']]).to.deep.equal([of('invoices', 'payments', 'broken').length, of('gone', 'typo').length]);
    }, { withinMs: LONGEST_MS, everyMs: 250 });
  });
  after(async () => {
    await service.close();
    await receiver.close();
  });

  function newTask(kind: Kind, nth: number): Known {
    const order = ledger.length + 1;
    const { state, path, attempts } = ends[kind];
    const task = httpTask(receiver.url(path), {
      id: uniqueId(kind),
      client_id: clients[nth % clients.length] ?? '',
      message_data: JSON.stringify({ order: { id: order } }),
      max_retries: kind === 'flaky' ? 1 : 0,
      ...(state === 'parked' ? { on_exhausted: 'park' } : { dead_destination: { url: receiver.url('/dead') } }),
      ...(attempts === 0 && kind === 'later' ? { initial_delay: 3_600 } : {}),
    });
    return { task, kind, order };
  }

  async function submitAll(tasks: readonly Known[]): Promise<void> {
    const { status, body } = await call(service.baseUrl, '/tasks/batch', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(tasks.map(({ task }) => task)) });
    expect([status, (body['counts'] as Shown)['created']]).to.deep.equal([207, tasks.length]);
  }

  for (const door of Object.values(doors)) {
    describe(`by ${door.name}`, () => {
      beforeEach(() => { door.calls = 0; });
      afterEach(() => { expect(door.calls, 'calls').to.be.within(1, 2); });

      for (const kind of ['invoices', 'flaky', 'later'] as const) {
        it(`1: a client says that an order never arrived; it is a task of ${kind}`, async () => {
          const { task, order } = first(kind);
          const { tasks, isComplete } = await door.find({ client_id: task.client_id, 'data.order.id': String(order) });
          expect([idsOf(tasks), isComplete]).to.deep.equal([[task.id], true]);
          const shown = await door.task(task.id);
          expect(shown['state']).to.equal(ends[kind].state);
          const attempts = (shown['timeline'] as Shown[]).filter((entry) => entry['kind'] === 'attempt');
          expect(attempts).to.have.lengthOf(ends[kind].attempts);
          if (ends[kind].error !== undefined) expect([attempts[0]?.['error_code'], attempts[0]?.['http_status']]).to.deep.equal(ends[kind].error);
        });
      }

      it('2: why is it not being sent', async () => {
        const held = await door.task(first('held').task.id);
        expect(held['waiting_for']).to.include({ code: 'paused' });
        expect((held['waiting_for'] as Shown)['message']).to.be.a('string').and.to.include('Anna').and.to.include('they move');
        const later = await door.task(first('later').task.id);
        expect(timeOf(later['next_attempt_at']) - timeOf(later['created_at'])).to.be.within(3_599_000, 3_601_000);
      });

      it('3: what failed most in the last hour, by destination and error', async () => {
        const kinds = (Object.keys(ends) as Kind[]).filter((kind) => ends[kind].failures > 0).sort((a, b) => mix[b] - mix[a]);
        // Each process adds its numbers to the common ones once a second.
        await eventually(async () => {
          door.calls = 0;
          const groups = await door.failures();
          expect(groups.map((group) => [group['destination_key'], group['error_code'], group['http_status'], group['count'], group['by_next']])).to.deep.equal(
            kinds.map((kind) => [keyOf(kind), ...(ends[kind].error ?? []), mix[kind] * times, { retry: 0, dead_letter: 0, park: 0, [ends[kind].next ?? '']: mix[kind] * times }]),
          );
          for (const [nth, kind] of kinds.entries()) expect(of(kind).map(({ task }) => task.id)).to.include.members(groups[nth]?.['samples'] as string[]);
        }, { withinMs: 20_000, everyMs: 250 });
      });

      it('5: who paused this, when and why', async () => {
        const [entry, ...others] = await door.audit('pause', keyOf('held'));
        expect(others).to.deep.equal([]);
        expect(entry).to.deep.include({ action: 'destination.pause', target: { type: 'destination', id: keyOf('held') }, reason: 'they move' });
        expect(entry?.['actor']).to.include({ operator: 'Anna' });
        expect(timeOf(entry?.['at'])).to.be.within(Date.now() - LONGEST_MS * 4, Date.now());
      });

      it('6: is it healthy, does the backlog grow, how late are we', async () => {
        const status = await door.status();
        expect(status['status']).to.equal('degraded');
        expect((status['reasons'] as Shown[]).map(({ code }) => code)).to.include.members(['paused', 'parked']);
        expect(status['workers']).to.equal(1);
        const counts = status['counts'] as Shown;
        expect([counts['dead_lettered'], counts['parked'], (counts['held'] as Shown)['paused']]).to.deep.equal([of('invoices', 'payments', 'broken').length, of('gone', 'typo').length, of('held').length]);
        expect(status['backlog']).to.have.keys('due', 'per_second');
        expect(status['oldest_due_ms']).to.be.greaterThan(0);
      });

      it('7: what is the throughput now', async () => {
        await eventually(async () => {
          door.calls = 0;
          const { rates } = (await door.status()) as { rates: Readonly<Record<string, Readonly<Record<string, number>>>> };
          const inHour = (name: string): number => Math.round((rates[name]?.['1h'] ?? NaN) * 3_600);
          const failed = ledger.reduce((sum, { kind }) => sum + ends[kind].failures, 0);
          // A mean is rounded to a thousandth of a task a second, which is two tasks of an hour.
          for (const [name, count] of [['created', ledger.length], ['delivered', of('ok', 'flaky').length], ['failed', failed], ['dead_lettered', of('invoices', 'payments', 'broken').length]] as const) {
            expect(inHour(name), name).to.be.within(count - 2, count + 2);
          }
        }, { withinMs: 20_000, everyMs: 250 });
      });

      it('9: all tasks of one client', async () => {
        const { tasks: found, isComplete } = await door.find({ client_id: 'acme' });
        const expected = ledger.filter(({ task }) => task.client_id === 'acme');
        const ids = idsOf(found);
        const seen = new Set(ids);
        expect(seen.size, 'none comes twice').to.equal(ids.length);
        const missing = expected.filter(({ task }) => !seen.has(task.id));
        // Flow control puts the held ones back each minute or later. A list of tens of thousands may take so long, and then says so.
        if (times === 1) expect(isComplete).to.equal(true);
        if (isComplete) expect(missing).to.deep.equal([]);
        expect(missing.filter(({ kind }) => kind !== 'held')).to.deep.equal([]);
        const states = new Map(expected.map(({ task, kind }) => [task.id, ends[kind].state]));
        expect(found.filter(({ id, state }) => states.get(String(id)) !== state)).to.deep.equal([]);
      });
    });
  }

  // These two change something, so each door has tasks of its own, and they come last.
  for (const [door, kind] of [[doors.api, 'invoices'], [doors.program, 'payments']] as const) {
    describe(`by ${door.name}`, () => {
      beforeEach(() => { door.calls = 0; });
      afterEach(() => { expect(door.calls, 'calls').to.be.within(1, 2); });

      it(`4: the receiver is back: send again the dead letters of ${kind}, and no others`, async () => {
        receiver.mend(`/${kind}`);
        const before = receiver.requests.length;
        const { counted, action } = await door.redrive(keyOf(kind), of(kind).length);
        expect(counted).to.equal(of(kind).length);
        await eventually(async () => {
          const { body } = await call(service.baseUrl, `/bulk-actions/${String(action['id'])}`);
          expect(body).to.deep.include({ state: 'done', matched: of(kind).length, delivered: of(kind).length, failed_again: 0 });
        }, { withinMs: LONGEST_MS, everyMs: 100 });
        const sent = receiver.requests.slice(before);
        expect(sent.map(({ taskId }) => taskId).sort()).to.deep.equal(of(kind).map(({ task }) => task.id).sort());
        expect(sent.filter(({ path, headers }) => path !== `/${kind}` || headers['x-retry-run'] !== '2')).to.deep.equal([]);
      });

      it('8: correct a wrong URL in a parked task, and send it again', async () => {
        const wrong = of('typo')[door === doors.api ? 0 : 1];
        if (wrong === undefined) throw new Error('no task with a wrong URL');
        await door.correctAndSend(wrong.task.id, receiver.url('/right'));
        await eventually(() => { expect(receiver.requestsFor(wrong.task.id)).to.have.lengthOf(2); }, { withinMs: 20_000 });
        const sent = receiver.requestsFor(wrong.task.id).at(-1);
        expect([sent?.path, sent?.headers['x-retry-edit'], sent?.headers['x-retry-run'], sent?.body.toString()]).to.deep.equal(['/right', '1', '2', wrong.task.message_data]);
      });
    });
  }

  function apiDoor(): Door {
    const door: Door = {
      name: 'the API',
      calls: 0,
      find: async (filter) => {
        const found: Shown[] = [];
        let cursor: unknown = null;
        let isComplete = true;
        door.calls += 1;
        do {
          const query = new URLSearchParams({ ...filter, limit: '1000', ...(typeof cursor === 'string' ? { cursor } : {}) });
          const page = await ask(`/tasks?${query.toString()}`);
          found.push(...(page['tasks'] as Shown[]));
          cursor = page['next_cursor'];
          isComplete = page['is_complete'] === true;
        } while (cursor !== null);
        return { tasks: found, isComplete };
      },
      task: (id) => counted(`/tasks/${id}`),
      failures: async () => (await counted('/failures?since=1h'))['groups'] as Shown[],
      status: () => counted('/status'),
      audit: async (action, target) => (await counted(`/audit?action=${action}&target=${encodeURIComponent(target)}`))['entries'] as Shown[],
      redrive: async (destination, expected) => {
        const body = { action: 'redrive', filter: { state: 'dead_lettered', destination_key: destination } };
        let sum = 0;
        let cursor: unknown = null;
        door.calls += 1;
        do {
          const part = await ask('/bulk-actions', { method: 'POST', body: JSON.stringify({ ...body, dry_run: true, ...(cursor === null ? {} : { cursor }) }) });
          sum += Number(part['matched']);
          cursor = part['next_cursor'];
        } while (cursor !== null);
        return { counted: sum, action: await counted('/bulk-actions', { method: 'POST', body: JSON.stringify({ ...body, expected, reason: 'it is back' }) }) };
      },
      correctAndSend: async (id, url) => {
        await counted(`/tasks/${id}`, { method: 'PATCH', body: JSON.stringify({ destination: { url } }) });
        await counted(`/tasks/${id}/retry`, { method: 'POST' });
      },
    };
    async function ask(path: string, init: RequestInit = {}): Promise<Shown> {
      const { status, body } = await call(service.baseUrl, path, init.body === undefined ? init : { ...init, headers: { 'content-type': 'application/json' } });
      expect(status, JSON.stringify(body)).to.be.within(200, 299);
      return body;
    }
    function counted(path: string, init?: RequestInit): Promise<Shown> {
      door.calls += 1;
      return ask(path, init);
    }
    return door;
  }

  function programDoor(): Door {
    const door: Door = {
      name: 'the command line',
      calls: 0,
      find: async (filter) => {
        const { code, out, err } = await told('list', ...Object.entries(filter).flatMap(([name, value]) => (name.startsWith('data.') ? ['--data', `${name.slice('data.'.length)}=${value}`] : [`--${name.replaceAll('_', '-')}`, value])));
        expect(code === 0 || (code === 1 && err.includes('not complete')), err).to.equal(true);
        return { tasks: JSON.parse(out) as Shown[], isComplete: code === 0 };
      },
      task: async (id) => (await ask('get', id)) as Shown,
      failures: async () => (await ask('failures', '--since', '1h')) as Shown[],
      status: async () => (await ask('status')) as Shown,
      audit: async (action, target) => (await ask('audit', '--action', action, '--target', target)) as Shown[],
      redrive: async (destination, expected) => {
        const which = ['redrive', '--state', 'dead_lettered', '--destination', destination];
        const counted = (await ask(...which, '--dry-run')) as Shown;
        return { counted: counted['matched'], action: (await ask(...which, '--expected', String(expected), '--yes', '--reason', 'it is back')) as Shown };
      },
      correctAndSend: async (id, url) => {
        await ask('edit', id, '--set', `destination.url=${url}`);
        await ask('retry', id);
      },
    };
    function told(...args: readonly string[]): Promise<Ended> {
      door.calls += 1;
      return CommandLine.run([...args, '--output', 'json'], { KAFKA_RETRY_URL: service.baseUrl });
    }
    async function ask(...args: readonly string[]): Promise<unknown> {
      const { code, out, err } = await told(...args);
      // `status` ends with 1 when the service is not well.
      expect(code, err).to.equal(args[0] === 'status' ? 1 : 0);
      return JSON.parse(out);
    }
    return door;
  }
});

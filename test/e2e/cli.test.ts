import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { expect } from 'chai';

import type { AuditEntry, DryRun, SubmitResult, TaskView } from '../../client/answers.js';
import { EXIT } from '../../client/cli/exit-codes.js';
import { commands } from '../../client/cli/commands.js';
import { CommandLine, type Ended } from '../support/command-line.js';
import { eventually } from '../support/eventually.js';
import { LosingProxy } from '../support/losing-proxy.js';
import { createReceiver, type Receiver } from '../support/receiver.js';
import { Service } from '../support/service.js';
import { httpTask, uniqueId, waitForState, type WireTask } from '../support/tasks.js';

interface LineResult extends SubmitResult {
  readonly line: number;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

describe('kafka-retry', () => {
  let service: Service;
  let receiver: Receiver;
  let folder: string;
  let environment: Readonly<Record<string, string>>;

  before(async () => {
    [service, receiver, folder] = await Promise.all([Service.start(), createReceiver(), mkdtemp(path.join(tmpdir(), 'krs-cli-'))]);
    environment = { KAFKA_RETRY_URL: service.baseUrl, KAFKA_RETRY_OPERATOR: 'J\u00fcrgen' };
  });
  after(async () => {
    await service.close();
    await receiver.close();
    await rm(folder, { recursive: true, force: true });
  });

  const run = (args: readonly string[], input = ''): Promise<Ended> => CommandLine.run(args, environment, input);
  const waiting = (changes: Partial<WireTask> = {}): WireTask => httpTask(receiver.url('/'), { initial_delay: 3_600, ...changes });
  const linesOf = <T>({ out }: Ended): T[] => out.trimEnd().split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as T);

  const exportedSubmission = async ({ id }: WireTask): Promise<WireTask> => JSON.parse((await run(['get', id, '--submission', '--output', 'json'])).out) as WireTask;

  async function submitted(...tasks: readonly WireTask[]): Promise<void> {
    const { code, err } = await run(['submit', '--output', 'ndjson'], tasks.map((task) => `${JSON.stringify(task)}\n`).join(''));
    expect(code, err).to.equal(EXIT.done);
  }

  describe('submit', () => {
    it('hands over a task, waits for it, and shows it', async () => {
      const task = httpTask(receiver.url('/'));
      const file = path.join(folder, 'task.json');
      await writeFile(file, JSON.stringify(task, undefined, 2));
      const { code, out, err } = await run(['submit', file, '--output', 'ndjson']);
      expect([code, err]).to.deep.equal([EXIT.done, '1 handed over\n']);
      expect(JSON.parse(out)).to.include({ line: 1, status: 201, id: task.id, state: 'scheduled', run: 1 });
      const waited = await run(['wait', task.id, '--timeout', '20s', '--output', 'json']);
      expect(JSON.parse(waited.out), waited.err).to.include({ id: task.id, state: 'delivered', run: 1 });
      const shown = JSON.parse((await run(['get', task.id, '--message', '--output', 'json'])).out) as TaskView;
      expect(shown).to.include({ id: task.id, message_data: task.message_data });
    });

    it('answers each line with its number: no end of the last one, CRLF, a byte order mark, empty lines, a bad one in the middle', async () => {
      const tasks = [waiting(), waiting({ message_data: '\u{1f69a} \u00fc' }), waiting()];
      const [first, second, third] = tasks.map((task) => JSON.stringify(task));
      const ended = await run(['submit', '--output', 'ndjson'], `\ufeff${first}\r\n\r\n{"id":"broken"\n${second}\n\n${third}`);
      expect(ended.code).to.equal(EXIT.refused);
      expect(linesOf<LineResult>(ended).map(({ line, status, id }) => [line, status, id])).to.deep.equal([[1, 201, tasks[0]?.id], [3, 400, undefined], [4, 201, tasks[1]?.id], [6, 201, tasks[2]?.id]]);
      expect(ended.err).to.equal('3 handed over, 1 refused\n');
      // The service names a line of the request, which is another one: the command takes that out of its sentence.
      expect(linesOf<LineResult>(ended)[1]?.error).to.match(/^the task is not valid JSON at column \d+: it ends too early/);
      const shown = JSON.parse((await run(['get', tasks[1]?.id ?? '', '--message', '--output', 'json'])).out) as TaskView;
      expect(shown.message_data).to.equal('\u{1f69a} \u00fc');
    });

    it('reads a line whose characters and megabytes come in pieces, and what is no UTF-8 stops nothing', async () => {
      const tasks = [waiting({ message_data: '\u{1f69a}'.repeat(10) }), waiting({ message_data: 'x'.repeat(1_000_000) })];
      const bytes = Buffer.concat([Buffer.from(`${JSON.stringify(tasks[0])}\n`), Buffer.from([0xff, 10]), Buffer.from(JSON.stringify(tasks[1]))]);
      const started = CommandLine.start(['submit', '--output', 'ndjson'], environment);
      for (const byte of bytes.subarray(0, 600)) started.write(Buffer.from([byte]));
      for (let from = 600; from < bytes.length; from += 65_536) started.write(bytes.subarray(from, from + 65_536));
      started.endInput();
      const ended = await started.ended();
      expect(linesOf<LineResult>(ended).map(({ line, status, id, error }) => [line, status, id, error])).to.deep.equal([[1, 201, tasks[0]?.id, undefined], [2, 400, undefined, 'the line is not valid UTF-8'], [3, 201, tasks[1]?.id, undefined]]);
      expect(ended.code).to.equal(EXIT.refused);
    });

    it('answers a line while the next one has not come yet', async () => {
      const started = CommandLine.start(['submit', '--output', 'ndjson'], environment);
      for (const nth of [1, 2, 3]) {
        started.write(`${JSON.stringify(waiting())}\n`);
        await eventually(() => { expect(started.out.split('\n').length - 1).to.equal(nth); }, { withinMs: 20_000 });
      }
      started.endInput();
      expect((await started.ended()).code).to.equal(EXIT.done);
    });

    it('starts nothing twice when the same command is given again, unless that is wanted', async () => {
      const tasks = Array.from({ length: 3 }, () => httpTask(receiver.url('/')));
      const file = path.join(folder, `${uniqueId('again')}.ndjson`);
      await writeFile(file, tasks.map((task) => `${JSON.stringify(task)}\n`).join(''));
      const runsOf = (ended: Ended): unknown[] => linesOf<LineResult>(ended).map(({ status, run: nth, is_duplicate: isDuplicate }) => [status, nth, isDuplicate]);
      const delivered = async (): Promise<void> => { for (const { id } of tasks) await waitForState(service.baseUrl, id, 'delivered'); };
      expect(runsOf(await run(['submit', file, '--output', 'ndjson']))).to.deep.equal(tasks.map(() => [201, 1, false]));
      await delivered();
      const repeated = await run(['submit', file, '--output', 'ndjson']);
      expect(runsOf(repeated)).to.deep.equal(tasks.map(() => [200, 1, true]));
      expect([repeated.code, repeated.err]).to.deep.equal([EXIT.done, '3 handed over (3 of them before: nothing was started twice)\n']);
      expect(runsOf(await run(['submit', file, '--again', '--output', 'ndjson']))).to.deep.equal(tasks.map(() => [201, 2, false]));
      await delivered();
      for (const { id } of tasks) expect(receiver.requestsFor(id)).to.have.lengthOf(2);
    });

    it('starts nothing twice that was taken when a refused line is corrected, and others come before it', async () => {
      const tasks = Array.from({ length: 4 }, () => httpTask(receiver.url('/')));
      const [one, two, three, four] = tasks as [WireTask, WireTask, WireTask, WireTask];
      const file = path.join(folder, `${uniqueId('corrected')}.ndjson`);
      const handedOver = async (...lines: readonly WireTask[]): Promise<unknown[]> => {
        await writeFile(file, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
        return linesOf<LineResult>(await run(['submit', file, '--output', 'ndjson'])).map(({ status, run: nth }) => [status, nth]);
      };
      expect(await handedOver(one, { ...two, max_retries: -1 }, three)).to.deep.equal([[201, 1], [400, undefined], [201, 1]]);
      for (const { id } of [one, three]) await waitForState(service.baseUrl, id, 'delivered');
      expect(await handedOver(four, one, two, three)).to.deep.equal([[201, 1], [200, 1], [201, 1], [200, 1]]);
      for (const { id } of tasks) await waitForState(service.baseUrl, id, 'delivered');
      for (const { id } of tasks) expect(receiver.requestsFor(id), id).to.have.lengthOf(1);
      // What has ended with another content begins again only when that is wanted.
      await writeFile(file, `${JSON.stringify({ ...one, message_data: 'other' })}\n`);
      const changed = await run(['submit', file, '--output', 'ndjson']);
      expect(linesOf<LineResult>(changed).map(({ status, code }) => [status, code])).to.deep.equal([[409, 'conflict']]);
      expect(changed.err).to.include('0 handed over, 1 refused').and.include('--again');
      expect(linesOf<LineResult>(await run(['submit', file, '--again', '--output', 'ndjson'])).map(({ status, run: nth }) => [status, nth])).to.deep.equal([[201, 2]]);
    });

    it('hands nothing over with --dry-run', async () => {
      const task = waiting();
      const ended = await run(['submit', '--dry-run', '--output', 'ndjson'], `${JSON.stringify(task)}\n{\n`);
      expect(linesOf<LineResult>(ended).map(({ line, status }) => [line, status])).to.deep.equal([[1, 200], [2, 400]]);
      expect((await run(['get', task.id])).code).to.equal(EXIT.notFound);
    });

    it('takes an array of a file, and names the files when there are several', async () => {
      const [one, two] = [path.join(folder, 'array.json'), path.join(folder, 'more.ndjson')];
      await writeFile(one, JSON.stringify([waiting(), waiting()]));
      await writeFile(two, `${JSON.stringify(waiting())}\n`);
      const results = linesOf<LineResult & { file: string }>(await run(['submit', one, two, '--output', 'ndjson']));
      expect(results.map(({ file, line, status }) => [file, line, status])).to.deep.equal([[one, 1, 201], [one, 2, 201], [two, 1, 201]]);
    });

    it('is refused when there is no such file, or it is no JSON', async () => {
      const missing = await run(['submit', path.join(folder, 'none.json')]);
      expect(missing.code).to.equal(EXIT.usage);
      expect(missing.err).to.include('none.json');
      const broken = path.join(folder, 'broken.json');
      await writeFile(broken, '{');
      expect((await run(['submit', broken])).code).to.equal(EXIT.usage);
    });

    it('looks at all files before it hands anything over, and says what was handed over before a later one cannot be read', async () => {
      const [task, broken] = [waiting(), path.join(folder, 'broken-later.json')];
      const file = path.join(folder, `${uniqueId('first')}.ndjson`);
      await Promise.all([writeFile(file, `${JSON.stringify(task)}\n`), writeFile(broken, '{')]);
      for (const other of [path.join(folder, 'none.ndjson'), folder]) {
        const { code, err } = await run(['submit', file, other]);
        expect([code, err.includes(other)], err).to.deep.equal([EXIT.usage, true]);
      }
      expect((await run(['get', task.id])).code).to.equal(EXIT.notFound);
      const { code, err } = await run(['submit', file, broken]);
      expect(code).to.equal(EXIT.refused);
      expect(err).to.match(/^1 handed over, then it ended: /m).and.include('not one JSON value');
    });
  });

  it('imports what an export holds: a task is due when it was, a parked one at once', async () => {
    const [later, parked] = [waiting({ flow_key: uniqueId('tenant') }), waiting()];
    const dueAt = new Date(Date.now() + 1_800_000).toISOString();
    const lines = [{ submission: later, state: 'retrying', run: 1, next_attempt_at: dueAt }, { submission: parked, state: 'parked', run: 1, next_attempt_at: null }];
    const { code, err } = await run(['import', '--output', 'ndjson'], lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
    expect(code, err).to.equal(EXIT.done);
    const shown = JSON.parse((await run(['get', later.id, '--output', 'json'])).out) as TaskView;
    expect(Math.abs(Date.parse(shown.next_attempt_at ?? '') - Date.parse(dueAt))).to.be.below(60_000);
    await waitForState(service.baseUrl, parked.id, 'delivered');
    // Half an hour is less by now: to the service it is another submission.
    const exported = await exportedSubmission(later);
    const again = await run(['import', '--output', 'ndjson'], [{ ...lines[0], submission: exported }, { ...lines[0], submission: { ...exported, message_data: 'other' } }].map((line) => `${JSON.stringify(line)}\n`).join(''));
    expect(linesOf<LineResult>(again).map(({ status, is_duplicate: isDuplicate }) => [status, isDuplicate])).to.deep.equal([[200, true], [409, undefined]]);
    expect(again.code).to.equal(EXIT.refused);
    expect(again.err).to.include('1 handed over (1 of them before: nothing was started twice), 1 refused\n');
    // Another task under the same id: fewer fields than the one that is there, or no line of an export.
    const { flow_key: _none, ...fewer } = exported;
    const others = [{ ...lines[0], submission: fewer }, { ...exported, initial_delay: 60 }];
    expect(linesOf<LineResult>(await run(['import', '--output', 'ndjson'], others.map((line) => `${JSON.stringify(line)}\n`).join(''))).map(({ status }) => status)).to.deep.equal([409, 409]);
    // Receivers that drop repeats may know its next message.
    const known = await run(['import', '--output', 'ndjson'], [{ ...lines[0], submission: waiting(), run: 2 }, { ...lines[0], submission: waiting(), edits: 1 }, { ...lines[0], submission: waiting() }].map((line) => `${JSON.stringify(line)}\n`).join(''));
    expect(known.code).to.equal(EXIT.done);
    expect(known.err).to.match(/^3 handed over\n2 of them /);
  });

  it('imports a task that was submitted once and cancelled since: it was never imported', async () => {
    const task = waiting();
    expect((await run(['submit'], `${JSON.stringify(task)}\n`)).code).to.equal(EXIT.done);
    const line = `${JSON.stringify({ submission: await exportedSubmission(task), state: 'scheduled', run: 1, next_attempt_at: new Date(Date.now() + 1_800_000).toISOString() })}\n`;
    expect((await run(['cancel', task.id, '--yes'])).code).to.equal(EXIT.done);
    const imported = await run(['import', '--output', 'ndjson'], line);
    expect(linesOf<LineResult>(imported).map(({ status, state }) => [status, state]), imported.err).to.deep.equal([[201, 'scheduled']]);
    expect(linesOf<LineResult>(await run(['import', '--output', 'ndjson'], line)).map(({ status }) => status), 'twice').to.deep.equal([200]);
  });

  it('imports twice what has secrets, which the service does not show, and starts nothing twice', async () => {
    const dueAt = new Date(Date.now() + 1_800_000).toISOString();
    const line = (submission: WireTask): string => `${JSON.stringify({ submission, state: 'retrying', run: 1, next_attempt_at: dueAt })}\n`;
    const login = (part: string): string => receiver.url('/').replace('://', `://${part}@`);
    const [one, two, three] = [
      waiting({ destination: { url: login('anna:geheim') } }),
      waiting({ destination: { url: login('token') }, dead_destination_type: 'kafka', dead_destination: { topic: 'dead', headers: { authorization: 'geheim' } } }),
      waiting({ destination: { url: receiver.url('/'), headers: { authorization: 'Bearer geheim' } }, message_data: 'a***b' }),
    ] as const;
    const tasks = [one, two, three];
    const first = await run(['import', '--output', 'ndjson'], tasks.map(line).join(''));
    expect(first.code, first.out + first.err).to.equal(EXIT.done);
    // An export names all fields, and the secrets are put in by hand.
    for (const task of tasks) Object.assign(task, { ...(await exportedSubmission(task)), ...task });
    const again = await run(['import', '--output', 'ndjson'], tasks.map(line).join(''));
    expect(linesOf<LineResult>(again).map(({ status, is_duplicate: isDuplicate }) => [status, isDuplicate])).to.deep.equal(tasks.map(() => [200, true]));
    expect([again.code, again.err]).to.deep.equal([EXIT.done, '3 handed over (3 of them before: nothing was started twice)\n']);
    const others = [{ ...one, destination: { url: login('anna:geheim').replace('://anna', '://otto') } }, { ...two, dead_destination: { topic: 'dead', headers: { other: 'geheim' } } }, { ...three, message_data: 'aXb' }];
    expect(linesOf<LineResult>(await run(['import', '--output', 'ndjson'], others.map(line).join(''))).map(({ status }) => status)).to.deep.equal([409, 409, 409]);
  });

  describe('changes', () => {
    it('are made one by one, each with its answer, and recorded with who and why', async () => {
      const tasks = [waiting(), waiting()];
      await submitted(...tasks);
      const [one = '', two = ''] = tasks.map(({ id }) => id);
      const cancelled = await run(['cancel', one, 'no-such-task', '--reason', 'not needed', '--output', 'ndjson']);
      expect(linesOf<{ id: string; state?: string; code?: string }>(cancelled).map(({ id, state, code }) => [id, state, code])).to.deep.equal([[one, 'cancelled', undefined], ['no-such-task', undefined, 'task_not_found']]);
      expect(cancelled.code).to.equal(EXIT.refused);
      expect((await run(['retry', two, '--operator', 'Anna'])).code).to.equal(EXIT.done);
      await waitForState(service.baseUrl, two, 'delivered');
      const entries = JSON.parse((await run(['audit', '--target', one, '--output', 'json'])).out) as AuditEntry[];
      expect(entries.map(({ action, reason, actor }) => [action, reason, actor.operator])).to.deep.equal([['task.cancel', 'not needed', 'J\u00fcrgen']]);
      const table = await run(['audit', '--target', two]);
      expect(table.out.split('\n')[1]).to.match(/Anna +task\.retry/);
    });

    it('cancel no task that another option leaves out', async () => {
      const task = waiting({ client_id: 'acme' });
      await submitted(task);
      for (const [option, value] of [['--client-id', 'globex'], ['--state', 'parked'], ['--q', 'client_id:globex'], ['--data', 'a=b']] as const) {
        const { code, err } = await run(['cancel', task.id, option, value, '--reason', 'not needed']);
        expect([code, err.includes('not both')], option).to.deep.equal([EXIT.usage, true]);
      }
      const other = waiting();
      await submitted(other);
      const limited = await run(['cancel', task.id, other.id, '--limit', '1', '--reason', 'not needed', '--watch', '--output', 'json']);
      expect(limited.code, limited.err).to.equal(EXIT.done);
      expect(JSON.parse(limited.out)).to.deep.include({ started: 1, limit: 1, matched: 2 });
    });

    it('cancel no parked task, and no delivered one, and say so of each', async () => {
      receiver.on('/parks', { kind: 'answer', status: 400 });
      const { dead_destination: _none, ...parking } = httpTask(receiver.url('/parks'), { on_exhausted: 'park' });
      const [delivered, other] = [httpTask(receiver.url('/')), waiting()];
      await submitted(parking, delivered, other);
      await waitForState(service.baseUrl, parking.id, 'parked');
      await waitForState(service.baseUrl, delivered.id, 'delivered');
      const cancelled = await run(['cancel', parking.id, delivered.id, other.id, other.id, '--output', 'ndjson']);
      expect(linesOf<{ id: string; state?: string; code?: string }>(cancelled).map(({ id, state, code }) => [id, state, code])).to.deep.equal([
        [parking.id, undefined, 'parked'], [delivered.id, undefined, 'finished'], [other.id, 'cancelled', undefined],
      ]);
      expect(cancelled.code).to.equal(EXIT.refused);
      expect(cancelled.err).to.include(`kafka-retry delete ${parking.id}`);
      const waited = await run(['wait', delivered.id, parking.id, '--output', 'json']);
      expect(waited.code, 'one of them was not delivered').to.equal(EXIT.refused);
      expect((JSON.parse(waited.out) as TaskView[]).map(({ id, state }) => [id, state])).to.deep.equal([[delivered.id, 'delivered'], [parking.id, 'parked']]);
      expect((await run(['wait', parking.id, '--for', 'parked'])).code, 'it was waited for').to.equal(EXIT.done);
      const deleted = await run(['delete', '--id', parking.id, '--state', 'parked', '--yes', '--reason', 'not needed', '--watch']);
      expect(deleted.code, deleted.err).to.equal(EXIT.done);
      expect((await run(['get', parking.id])).code).to.equal(EXIT.notFound);
    });

    it('pause, limit and resume a destination', async () => {
      const key = `https://${uniqueId('host')}.example/orders?token=secret`;
      const paused = JSON.parse((await run(['pause', key, '--until', '+30m', '--reason', 'it is down', '--output', 'json'])).out) as { key: string; paused: { reason: string } };
      expect([paused.key, paused.paused.reason]).to.deep.equal([key.split('?')[0], 'it is down']);
      const limited = await run(['limits', key, '--rate', '5', '--burst', '2']);
      expect([limited.code, limited.err]).to.deep.equal([EXIT.done, `${(JSON.parse((await run(['pause', key, '--output', 'json'])).out) as { hint: string }).hint}\n`]);
      expect(limited.err).to.include('has been seen lately');
      const shown = JSON.parse((await run(['destinations', key, '--output', 'json'])).out) as { limits: object };
      expect(shown.limits).to.include({ rate: 5, burst: 2 });
      expect((await run(['limits', key, '--remove'])).code).to.equal(EXIT.done);
      expect((await run(['resume', key])).code).to.equal(EXIT.done);
      const list = JSON.parse((await run(['destinations', '--output', 'json'])).out) as unknown[];
      expect(list).to.be.an('array');
    });

    it('correct a parked task, and start it again as a bulk action that is watched', async () => {
      receiver.on('/broken', { kind: 'answer', status: 500 });
      const { dead_destination: _none, ...parking } = httpTask(receiver.url('/broken'), { on_exhausted: 'park' });
      await submitted(parking);
      await waitForState(service.baseUrl, parking.id, 'parked');
      const edited = await run(['edit', parking.id, '--set', `destination.url=${receiver.url('/mended')}`, '--reason', 'a wrong url']);
      expect(edited.code, edited.err).to.equal(EXIT.done);
      const submission = JSON.parse((await run(['get', parking.id, '--submission', '--output', 'json'])).out) as { destination: object };
      expect(submission.destination).to.deep.equal({ url: receiver.url('/mended') });
      const redriven = await run(['redrive', parking.id, '--reason', 'it is corrected', '--watch', '--output', 'json']);
      const action = JSON.parse(redriven.out) as { id: string; state: string; started: number };
      expect([redriven.code, action.state, action.started]).to.deep.equal([EXIT.done, 'done', 1]);
      expect(redriven.err).to.equal(`bulk action ${action.id} has begun\n`);
      await waitForState(service.baseUrl, parking.id, 'delivered');
      expect(JSON.parse((await run(['action', action.id, '--output', 'json'])).out)).to.include({ id: action.id, state: 'done' });
      expect((await run(['actions'])).out).to.include(action.id);
      // A second start finds nothing to do, and says so.
      expect((await run(['action', action.id, '--pause'])).code).to.equal(EXIT.refused);
      const failures = await eventually(async () => {
        const found = await run(['failures', '--output', 'json']);
        const groups = (JSON.parse(found.out) as { destination_key: string; http_status: number }[]).filter(({ destination_key: key }) => key.endsWith('/broken') || key === receiver.url(''));
        expect(groups.map(({ http_status: status }) => status)).to.include(500);
        return groups;
      }, { withinMs: 20_000 });
      expect(failures.length).to.be.at.least(1);
    });

    it('that another person ends are not done: the exit code of a watch says so', async () => {
      const tasks = [waiting(), waiting(), waiting()];
      await submitted(...tasks);
      const watching = CommandLine.start(['send-now', ...tasks.map(({ id }) => id), '--rate', '0.001', '--watch', '--output', 'json'], environment);
      const id = await eventually(() => {
        const [, found = ''] = /bulk action (\S+) has begun/.exec(watching.err) ?? [];
        expect(found).to.not.equal('');
        return found;
      }, { withinMs: 20_000 });
      const cancelled = await run(['action', id, '--cancel', '--reason', 'a mistake', '--watch', '--output', 'json']);
      expect(cancelled.code, 'it was asked for').to.equal(EXIT.done);
      const ended = await watching.ended();
      expect(ended.code, ended.err).to.equal(EXIT.refused);
      expect(JSON.parse(ended.out)).to.include({ id, state: 'cancelled' });
      expect(ended.err).to.include('cancelled by');
    });

    it('are left as they are when another number matches than was counted, --yes included, and nothing is asked again', async () => {
      const client = uniqueId('client');
      const tasks = [waiting({ client_id: client }), waiting({ client_id: client }), waiting({ client_id: client })];
      await submitted(...tasks);
      // The count is answered as if the third one had come a moment later.
      const proxy = await LosingProxy.start(service.baseUrl, ({ body }) => (body.includes('"dry_run":true') ? { status: 200, body: { matched: 2, is_exact: true, scanned: 2, next_cursor: null, by_error_code: [], by_destination_key: [], samples: [] } } : 'pass'));
      try {
        const { code, err } = await CommandLine.run(['cancel', '--client-id', client, '--yes', '--reason', 'not needed', '--watch'], { ...environment, KAFKA_RETRY_URL: proxy.url });
        expect([code, /2 tasks were expected|expected 2 tasks/.test(err)], err).to.deep.equal([EXIT.refused, true]);
        expect(proxy.seen.filter(({ method }) => method === 'POST')).to.have.lengthOf(2);
      } finally {
        await proxy.close();
      }
      for (const { id } of tasks) expect(JSON.parse((await run(['get', id, '--output', 'json'])).out)).to.include({ state: 'scheduled' });
    });

    it('are left as they are also when what was counted was not exact', async () => {
      const client = uniqueId('inexact');
      const tasks = [waiting({ client_id: client }), waiting({ client_id: client }), waiting({ client_id: client })];
      await submitted(...tasks);
      const proxy = await LosingProxy.start(service.baseUrl, ({ body }) => (body.includes('"dry_run":true') ? { status: 200, body: { matched: 2, is_exact: false, is_complete: true, shards_away: [], scanned: 3, next_cursor: null, by_error_code: [], by_destination_key: [], samples: [] } } : 'pass'));
      try {
        const { code, err } = await CommandLine.run(['send-now', '--client-id', client, '--watch'], { ...environment, KAFKA_RETRY_URL: proxy.url });
        expect([code, /2 tasks were expected|expected 2 tasks/.test(err)], err).to.deep.equal([EXIT.refused, true]);
        expect(err).to.match(/^the count is not exact: some tasks could not be read\n/);
      } finally {
        await proxy.close();
      }
      for (const { id } of tasks) expect(JSON.parse((await run(['get', id, '--output', 'json'])).out)).to.include({ state: 'scheduled' });
    });

    it('end with 1 where the count is not exact, and none was found or it was a dry run', async () => {
      const dry = { matched: 0, is_exact: false, is_complete: false, shards_away: [1], scanned: 3, next_cursor: null, by_error_code: [], by_destination_key: [], samples: [] };
      const proxy = await LosingProxy.start(service.baseUrl, ({ body }) => (body.includes('"dry_run":true') ? { status: 200, body: dry } : 'pass'));
      try {
        const redrive = async (...more: readonly string[]): Promise<unknown[]> => {
          const { code, out, err } = await CommandLine.run(['redrive', '--state', 'dead_lettered', '--output', 'json', ...more], { ...environment, KAFKA_RETRY_URL: proxy.url });
          return [code, (JSON.parse(out) as DryRun).matched, err];
        };
        const away = 'the count is not exact: a part of the service does not answer\n';
        expect(await redrive()).to.deep.equal([EXIT.refused, 0, `${away}no task was found: nothing was changed\n`]);
        expect(await redrive('--expected', '0')).to.deep.equal([EXIT.refused, 0, `${away}no task was found: nothing was changed\n`]);
        expect(await redrive('--dry-run')).to.deep.equal([EXIT.refused, 0, away]);
        expect(proxy.seen.filter(({ method, body }) => method === 'POST' && !body.includes('"dry_run":true')), 'nothing is changed').to.deep.equal([]);
      } finally {
        await proxy.close();
      }
    });

    it('are refused when some were expected and none matches', async () => {
      const none = ['send-now', '--client-id', uniqueId('none'), '--output', 'json'];
      const { code, err } = await run([...none, '--expected', '3']);
      expect([code, err]).to.deep.equal([EXIT.refused, '3 tasks were expected, and none matches: nothing was changed\n']);
      for (const more of [[], ['--expected', '0']]) expect((await run([...none, ...more])).code).to.equal(EXIT.done);
    });

    it('are asked about with the number that --limit leaves', async () => {
      const client = uniqueId('limited');
      await submitted(...Array.from({ length: 15 }, () => waiting({ client_id: client })));
      const { code, err } = await run(['send-now', '--client-id', client, '--limit', '12']);
      expect([code, err]).to.deep.equal([EXIT.notConfirmed, 'Send 12 tasks now? Nothing was changed: this is no terminal to ask on, so say --yes\n']);
      const few = await run(['cancel', '--client-id', client, '--limit', '2', '--reason', 'not needed', '--watch', '--output', 'json']);
      expect(few.code, few.err).to.equal(EXIT.done);
      expect(JSON.parse(few.out)).to.include({ started: 2, matched: 15 });
      expect((await run(['actions'])).out, 'what is beyond the limit is no part of it').to.match(/ cancel +done +0 +2 of 15 +0 +2 /);
    });

    it('of more than ten tasks need a yes, where nobody can be asked', async () => {
      const ids = Array.from({ length: 11 }, () => uniqueId());
      const { code, err } = await run(['retry', ...ids]);
      expect([code, err]).to.deep.equal([EXIT.notConfirmed, 'Send 11 tasks now? Nothing was changed: this is no terminal to ask on, so say --yes\n']);
    });
  });

  describe('tasks that match', () => {
    const client = uniqueId('client');
    const tasks: WireTask[] = [];
    before(async () => {
      tasks.push(...Array.from({ length: 1_203 }, (_, nth) => waiting({ client_id: nth % 100 === 0 ? `${client},rare*` : client, message_data: JSON.stringify({ nth }) })));
      await submitted(...tasks);
    });

    it('are listed to the end, by every option as by a query', async () => {
      const rare = tasks.filter((_, nth) => nth % 100 === 0).map(({ id }) => id);
      const quoted = `"${client},rare*"`;
      for (const args of [['--client-id', quoted], ['--q', `client_id:${quoted}`], ['--q', `client_id:${client}*`, '--client-id', quoted, '--state', 'scheduled']]) {
        expect(linesOf<{ id: string }>(await run(['list', ...args, '--output', 'ndjson'])).map(({ id }) => id), args.join(' ')).to.have.members(rare);
      }
      const whole = await run(['list', '--client-id', client, '--output', 'json']);
      expect((JSON.parse(whole.out) as unknown[]).length).to.equal(tasks.length - rare.length);
      expect(linesOf(await run(['list', '--client-id', client, '--limit', '7', '--output', 'ndjson']))).to.have.lengthOf(7);
    });

    it('are counted, also in groups and by what stands in their messages', async () => {
      expect(JSON.parse((await run(['count', '--client-id', `${client}*`, '--output', 'json'])).out)).to.include({ count: 1_203, is_exact: true });
      expect(JSON.parse((await run(['count', '--client-id', client, '--data', 'nth=7', '--output', 'json'])).out)).to.include({ count: 1 });
      const groups = linesOf<{ groups: { value: string; count: number }[] }>(await run(['count', '--client-id', `${client}*`, '--by', 'client_id', '--output', 'ndjson']))[0]?.groups;
      expect(groups).to.deep.equal([{ value: client, count: 1_190 }, { value: `${client},rare*`, count: 13 }]);
    });

    it('are not asked for when the query cannot be read: the error says where', async () => {
      const { code, err } = await run(['list', '--q', 'state:parked created_at:5m']);
      expect(code).to.equal(EXIT.refused);
      expect(err).to.match(/q at 24: created_at needs a sign.*invalid_query/);
    });

    it('are not read on when the reader of the list has gone', async () => {
      for (const verb of [`list --client-id '${client}' --output ndjson`, `export --client-id '${client}'`, `tail --since 1h --client-id '${client}' --output ndjson`]) {
        const { out, err } = await CommandLine.shell(`kafka-retry ${verb} | head -1; echo "code \${PIPESTATUS[0]}"`, environment);
        const [line = '', code] = out.trimEnd().split('\n');
        expect([isJson(line), code, err], verb).to.deep.equal([true, `code ${EXIT.done}`, '']);
      }
    });

    it('are exported with their times, and imported so that they are due then', async () => {
      const exported = await run(['export', '--client-id', `"${client},rare*"`]);
      expect([exported.code, exported.err]).to.deep.equal([EXIT.done, '13 written\n']);
      const lines = linesOf<{ submission: WireTask; next_attempt_at: string }>(exported);
      const renamed = lines.map((line) => ({ ...line, submission: { ...line.submission, id: `imported-${line.submission.id}` } }));
      expect((await run(['import', '--output', 'ndjson'], renamed.map((line) => `${JSON.stringify(line)}\n`).join(''))).err).to.equal('13 handed over\n');
      for (const { submission, next_attempt_at: dueAt } of renamed) {
        const shown = JSON.parse((await run(['get', submission.id, '--message', '--output', 'json'])).out) as TaskView;
        expect(shown.message_data).to.equal(submission.message_data);
        expect(Math.abs(Date.parse(shown.next_attempt_at ?? '') - Date.parse(dueAt))).to.be.below(60_000);
      }
    });

    it('are not all there when some could not be read: the exit code says so, and the others are written', async () => {
      const large = uniqueId('large');
      const [small, big] = [waiting({ client_id: large, message_data: '{"n":1}' }), waiting({ client_id: large, message_data: JSON.stringify({ n: 1, padding: 'x'.repeat(300_000) }) })];
      await submitted(small, big);
      for (const verb of ['list', 'export']) {
        const ended = await run([verb, '--client-id', large, '--data', 'n=1', ...(verb === 'list' ? ['--output', 'ndjson'] : [])]);
        expect(linesOf(ended), verb).to.have.lengthOf(1);
        expect(ended.code, verb).to.equal(EXIT.refused);
        expect(ended.err, verb).to.include('1 tasks could not be read');
        expect((await run([verb, '--client-id', large])).code, `${verb} without a look into messages`).to.equal(EXIT.done);
      }
    });

    it('are exported although one of them is unreadable, which is named; a list that is not complete says so', async () => {
      const readable = uniqueId('readable');
      const [one, two, three] = [waiting({ client_id: readable }), waiting({ client_id: readable }), waiting({ client_id: readable })];
      await submitted(one, two, three);
      const proxy = await LosingProxy.start(service.baseUrl, ({ path: asked }) => {
        if (asked.startsWith(`/tasks/${two.id}/submission`)) return { status: 503, body: { error: 'a newer version wrote it', code: 'task_unreadable', request_id: 'r' } };
        if (asked.startsWith('/tasks?state=')) return { status: 200, body: { tasks: [], next_cursor: null, scanned: 0, not_read: 0, is_complete: false } };
        return 'pass';
      });
      try {
        const behindProxy = { ...environment, KAFKA_RETRY_URL: proxy.url };
        const exported = await CommandLine.run(['export', '--client-id', readable], behindProxy);
        expect(linesOf<{ submission: WireTask }>(exported).map(({ submission }) => submission.id)).to.have.members([one.id, three.id]);
        expect(exported.code).to.equal(EXIT.refused);
        expect(exported.err).to.include(two.id).and.include('2 written, 1 could not be read');
        const listed = await CommandLine.run(['list', '--state', 'delivering', '--output', 'json'], behindProxy);
        expect([listed.code, listed.out]).to.deep.equal([EXIT.refused, '[]\n']);
        expect(listed.err).to.include('not complete');
      } finally {
        await proxy.close();
      }
    });

    it('are followed as they change: every state once, and no line twice', async () => {
      const followed = uniqueId('followed');
      const started = CommandLine.start(['tail', '--client-id', followed, '--every', '100ms', '--since', '1h', '--output', 'ndjson'], environment);
      const many = Array.from({ length: 500 }, () => waiting({ client_id: followed }));
      await submitted(...many);
      const [one] = many;
      await eventually(() => { expect(started.out.trimEnd().split('\n').length).to.equal(500); }, { withinMs: 30_000 });
      await run(['cancel', one?.id ?? '', '--reason', 'to be seen']);
      await eventually(() => { expect(started.out).to.include('"state":"cancelled"'); }, { withinMs: 30_000 });
      started.interrupt();
      const ended = await started.ended();
      const lines = linesOf<{ id: string; state: string }>(ended);
      expect([ended.code, ended.err, lines.length]).to.deep.equal([EXIT.interrupted, '', 501]);
      expect(new Set(lines.map(({ id, state }) => `${state} ${id}`)).size).to.equal(501);
      expect(lines.at(-1)).to.include({ id: one?.id, state: 'cancelled' });
    });
  });

  describe('exit codes', () => {
    const cases: readonly (readonly [what: string, args: readonly string[], code: number, said: RegExp])[] = [
      ['no verb', [], EXIT.usage, /Usage: kafka-retry <verb>/],
      ['an unknown verb', ['lsit'], EXIT.usage, /no verb "lsit": did you mean list\?/],
      ['an unknown verb that is like none', ['frobnicate'], EXIT.usage, /no verb "frobnicate": kafka-retry help/],
      ['an unknown option', ['get', 'a', '--mesage'], EXIT.usage, /no option --mesage: did you mean --message\?/],
      ['an option that stands twice', ['redrive', '--client-id', 'a', '--client-id', 'b'], EXIT.usage, /--client-id stands there twice/],
      ['too few words', ['get'], EXIT.usage, /get needs a word/],
      ['too many words', ['status', 'now'], EXIT.usage, /takes no word behind it, got "now"/],
      ['an empty word, such as an unset variable', ['cancel', ''], EXIT.usage, /an empty word/],
      ['an empty filter, such as an unset variable', ['list', '--client-id', ''], EXIT.usage, /--client-id must not be empty/],
      ['an action on everything', ['redrive'], EXIT.usage, /say which tasks/],
      ['a removal without a reason', ['delete', '--state', 'parked'], EXIT.usage, /--reason/],
      ['an unknown form', ['stats', '--output', 'xml'], EXIT.usage, /table, json, ndjson/],
      ['a url that is none', ['stats', '--url', 'localhost:8080'], EXIT.usage, /--url must be/],
      ['an unknown task', ['get', 'no-such-task'], EXIT.notFound, /task_not_found, request [\w-]+/],
      ['a task that does not end in time', ['wait', 'not-ended', '--timeout', '200ms'], EXIT.timedOut, /has not ended within/],
      ['no service', ['stats', '--url', 'http://127.0.0.1:9', '--request-timeout', '1s'], EXIT.noAnswer, /no answer from http:\/\/127\.0\.0\.1:9/],
    ];
    before(() => submitted(waiting({ id: 'not-ended' })));

    it('say 4 where something else listens: it is none of this service', async () => {
      const { code, err } = await run(['--url', new URL(receiver.url('/')).origin, 'status']);
      expect(err).to.match(/^kafka-retry: http:\/\/127\.0\.0\.1:\d+ does not answer like this service \(200.*\): is the url right/);
      expect(code).to.equal(EXIT.noAnswer);
    });

    it('say 1 where a proxy in front refuses it: to repeat it is of no use', async () => {
      const url = new URL(receiver.url('/')).origin;
      receiver.on('/stats', { kind: 'answer', status: 413, body: '<html>too large' });
      const refused = await run(['--url', url, 'stats']);
      expect(refused.err).to.match(/\(413 <html>too large\): a proxy in front of it may have refused this, or the url is wrong/);
      expect(refused.code).to.equal(EXIT.refused);
      receiver.on('/stats', { kind: 'answer', status: 404, body: '<html>no such page' });
      expect((await run(['--url', url, 'stats'])).code).to.equal(EXIT.noAnswer);
    });

    it('name a code of an error that was probably meant, also where none matches', async () => {
      const { code, err } = await run(['redrive', '--state', 'parked', '--error-code', 'http_clent_error']);
      expect([code, err]).to.deep.equal([EXIT.done, 'no send fails with the code http_clent_error, as far as this command knows: did you mean http_client_error?\nno task matches: nothing was changed\n']);
    });

    for (const [what, args, code, said] of cases) {
      it(`say ${code} for ${what}, on standard error alone`, async () => {
        const ended = await run(args);
        expect(ended.err).to.match(said);
        expect([ended.code, ended.out]).to.deep.equal([code, '']);
      });
    }

    it('say whether the service is well', async () => {
      const { code, out } = await run(['status', '--output', 'json']);
      const { status } = JSON.parse(out) as { status: string };
      expect(code).to.equal(status === 'ok' ? EXIT.done : EXIT.refused);
    });
  });

  describe('an answer that is not complete', () => {
    it('is shown, said to be so, and no success', async () => {
      const proxy = await LosingProxy.start(service.baseUrl, ({ path: asked }) => {
        const [verb] = /(?<=^\/)[a-z]+/.exec(asked) ?? [];
        const part = { is_complete: false, shards_away: ['deliver-1'] };
        if (verb === 'audit') return { status: 200, body: { ...part, entries: [], next_cursor: null } };
        if (verb === 'destinations') return { status: 200, body: { ...part, destinations: [], next_cursor: null } };
        if (verb === 'stats') return { status: 200, body: { ...part, counts: { waiting: 2 } } };
        if (verb === 'failures') return { status: 200, body: { ...part, since: '2026-11-28T12:00:00.000Z', groups: [], known_at: null } };
        if (verb === 'history') return { status: 200, body: { ...part, step_ms: 60_000, points: [], known_at: '2026-11-28T12:41:02.000Z' } };
        return 'pass';
      });
      try {
        for (const verb of ['audit', 'failures', 'history', 'destinations', 'stats']) {
          const cut = await CommandLine.run([verb, '--output', 'json'], { ...environment, KAFKA_RETRY_URL: proxy.url });
          expect([verb, cut.code]).to.deep.equal([verb, EXIT.refused]);
          expect(JSON.parse(cut.out), verb).to.deep.equal(verb === 'stats' ? { is_complete: false, shards_away: ['deliver-1'], counts: { waiting: 2 } } : []);
          expect(cut.err, verb).to.include('not complete');
          expect((await run([verb, '--output', 'json'])).code, `${verb}, complete`).to.equal(EXIT.done);
        }
      } finally {
        await proxy.close();
      }
    });
  });

  describe('output', () => {
    it('is valid JSON in every byte, in each of its forms', async () => {
      for (const args of [['stats'], ['status'], ['audit'], ['destinations']]) {
        const json = await run([...args, '--output', 'json']);
        expect(isJson(json.out), json.out).to.equal(true);
        const ndjson = await run([...args, '--output', 'ndjson']);
        expect(ndjson.out.trimEnd().split('\n').filter((line) => line !== '').every(isJson), ndjson.out).to.equal(true);
      }
    });

    it('may lose its reader: a verb that looks ends silently, and one that changes does all of it', async () => {
      const client = uniqueId('gone');
      const tasks = Array.from({ length: 1_500 }, () => waiting({ client_id: client }));
      const file = path.join(folder, 'many.ndjson');
      await writeFile(file, tasks.map((task) => `${JSON.stringify(task)}\n`).join(''));
      const shell = (script: string): Promise<Ended> => CommandLine.shell(`${script}; echo "code \${PIPESTATUS[0]}"`, environment);
      const { out, err } = await shell(`kafka-retry submit '${file}' --output ndjson | head -1`);
      const [line = '', code] = out.trimEnd().split('\n');
      expect((JSON.parse(line) as LineResult).line).to.equal(1);
      expect([code, err]).to.deep.equal([`code ${EXIT.done}`, '1500 handed over\n']);
      const ids = tasks.slice(0, 10).map(({ id }) => id);
      const cancelled = await shell(`kafka-retry cancel ${ids.join(' ')} --output ndjson | true`);
      expect([cancelled.out, cancelled.err]).to.deep.equal([`code ${EXIT.done}\n`, '']);
      const counts = JSON.parse((await run(['count', '--client-id', client, '--by', 'state', '--output', 'json'])).out) as { groups: unknown };
      expect(counts.groups).to.deep.equal([{ value: 'scheduled', count: 1_490 }, { value: 'cancelled', count: 10 }]);
      const listed = await shell(`kafka-retry list --client-id ${client} --output ndjson | head -1 >/dev/null`);
      expect([listed.out, listed.err]).to.deep.equal([`code ${EXIT.done}\n`, '']);
      const full = await shell(`kafka-retry cancel ${tasks[10]?.id} --output json >/dev/full`);
      expect([full.out, full.err]).to.deep.equal([`code ${EXIT.refused}\n`, 'kafka-retry: the output cannot be written: ENOSPC: no space left on device, write\n']);
    });

    it('is closed by Ctrl-C so that it can still be read, with exit code 130', async () => {
      const started = CommandLine.start(['submit', '--output', 'json'], environment);
      started.write(`${JSON.stringify(waiting())}\n`);
      await eventually(() => { expect(started.out).to.include('"status":201'); }, { withinMs: 20_000 });
      started.interrupt();
      const { code, out } = await started.ended();
      expect(code).to.equal(EXIT.interrupted);
      expect(JSON.parse(out)).to.have.lengthOf(1);
    });

    it('has a table for people, whose columns stand under each other', async () => {
      const id = uniqueId();
      await submitted(waiting({ id }));
      const { out } = await run(['get', id]);
      expect(out).to.match(new RegExp(`^id +${id}\\nstate +scheduled\\n`));
    });
  });

  it('does what docs/CLI.md shows, pasted as it stands', async () => {
    const [, shown = ''] = /```sh\n([^]*?)```/.exec(await readFile(path.resolve(import.meta.dirname, '../../docs/CLI.md'), 'utf8')) ?? [];
    await writeFile(path.join(folder, 'tasks.ndjson'), `${JSON.stringify(waiting())}\n`);
    const pasted = shown.replaceAll('http://127.0.0.1:8080', service.baseUrl);
    const { code, out, err } = await CommandLine.shell(`set -e; cd '${folder}'\n${pasted}`, environment);
    expect(code, err).to.equal(EXIT.done);
    expect(out).to.match(/^LINE .*\n1 +201 /).and.include('DESTINATION_KEY').and.include('matched ');
    expect(shown.match(/^kafka-retry /gm)).to.have.lengthOf(5);
  });

  it('listens as a receiver: fails as often as it is told, and tells what came before', async () => {
    const started = CommandLine.start(['listen', '--port', '0', '--fail', '1', '--output', 'ndjson'], environment);
    const url = await eventually(() => {
      const [, found = ''] = /listening on (http:\/\/127\.0\.0\.1:\d+)/.exec(started.err) ?? [];
      expect(found).to.not.equal('');
      return found;
    }, { withinMs: 20_000 });
    const task = httpTask(`${url}/orders`, { id: `bestellung-\u00fc-${uniqueId()}`, max_retries: 3 });
    await submitted(task);
    await waitForState(service.baseUrl, task.id, 'delivered');
    await fetch(`${url}/orders`, { method: 'POST', headers: { 'x-retry-task-id': Buffer.from(task.id).toString('latin1'), 'x-retry-run': '1' }, body: 'again' });
    started.interrupt();
    const ended = await started.ended();
    expect(ended.code).to.equal(EXIT.interrupted);
    expect(linesOf<Record<string, unknown>>(ended).map(({ status, task_id: id, attempt, is_duplicate: isDuplicate }) => [status, id, attempt, isDuplicate])).to.deep.equal([[503, task.id, 0, false], [200, task.id, 1, false], [200, task.id, 0, true]]);
  });

  describe('help', () => {
    it('says how each verb is used', async () => {
      const whole = await run(['help']);
      for (const { name } of commands) expect(whole.out).to.match(new RegExp(`^  ${name} `, 'm'));
      const one = await run(['list', '--help']);
      expect([one.code, one.out.split('\n')[0]]).to.deep.equal([EXIT.done, 'Usage: kafka-retry list [options]']);
      expect(one.out).to.include('--client-id').and.include('--output').and.match(/^ +KAFKA_RETRY_KEY /m);
      for (const args of [['help', '--help'], ['completion', '--help']]) expect(await run(args), args.join(' ')).to.deep.include({ code: EXIT.done, out: whole.out });
      for (const before of [['--url', service.baseUrl], ['--reason=x']]) {
        for (const args of [[...before, 'help', 'list'], ['help', ...before, 'list'], ['help', ...before, 'list', '--help']]) expect(await run(args), 'as behind an alias').to.deep.include({ code: EXIT.done, out: one.out });
        for (const args of [['help'], ['--help'], ['completion', '--help']]) expect(await run([...before, ...args]), args.join(' ')).to.deep.include({ code: EXIT.done, out: whole.out });
        expect((await run([...before, 'completion', 'zsh'])).out).to.match(/^#compdef kafka-retry/);
      }
      for (const args of [['--version'], ['-v']]) expect((await run(args)).out).to.match(/^kafka-retry \d+\.\d+\.\d+\n$/);
    });

    it('prints scripts that shells understand', async () => {
      const completed = await CommandLine.shell('eval "$(kafka-retry completion bash)"; COMP_WORDS=(kafka-retry list --sta); COMP_CWORD=2; _kafka_retry; echo "${COMPREPLY[@]}"; COMP_WORDS=(kafka-retry list --state pa); COMP_CWORD=3; _kafka_retry; echo "${COMPREPLY[@]}"; COMP_WORDS=(kafka-retry red); COMP_CWORD=1; _kafka_retry; echo "${COMPREPLY[@]}"');
      expect([completed.out, completed.err]).to.deep.equal(['--state\nparked\nredrive\n', '']);
      expect((await run(['completion', 'fish'])).out).to.include("complete -c kafka-retry -n __fish_use_subcommand -a list");
      expect((await run(['completion', 'zsh'])).out).to.match(/^#compdef kafka-retry/);
      expect((await run(['completion', 'tcsh'])).code).to.equal(EXIT.usage);
    });
  });
});

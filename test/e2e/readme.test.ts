import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

import { expect } from 'chai';
import { parse } from 'yaml';

import { answerViolations } from '../support/contract.js';
import { blocksOf, readPages, requestsOf, type DocBlock } from '../support/doc-blocks.js';
import { eventually } from '../support/eventually.js';
import { KafkaProbe, kafkaTestBroker } from '../support/kafka.js';
import { Service } from '../support/service.js';
import { call, getTask, waitForState } from '../support/tasks.js';

const execFileAsync = promisify(execFile);
const root = path.resolve(import.meta.dirname, '../..');

const pages = readPages();
const blocks = new Map(pages.flatMap(blocksOf).map((block) => [block.name, block]));
/** Blocks that were pasted: at the end none may be left. */
const pasted = new Set<string>();

/** The receiver of the README, started as the README says, but on a port that is free. */
class ReadmeReceiver {
  #output = '';

  private constructor(private readonly child: ChildProcess) {
    child.stdout?.on('data', (chunk: Buffer) => { this.#output += chunk.toString(); });
  }

  static async start(args: readonly string[], port: number): Promise<ReadmeReceiver> {
    const child = spawn(process.execPath, [path.join(root, 'examples/receiver.mjs'), ...args, '--port', String(port)], { stdio: ['ignore', 'pipe', 'inherit'] });
    const receiver = new ReadmeReceiver(child);
    await eventually(() => expect(receiver.#output).to.include('Listening on '));
    return receiver;
  }

  get port(): number {
    return Number(/Listening on http:\/\/127\.0\.0\.1:(\d+)\//.exec(this.#output)?.[1]);
  }

  /** What it has printed about requests: `12:00:01.012  503  key order-1001|0  attempt 0  {...}`. */
  get lines(): string[] {
    return this.#output.split('\n').filter((line) => /^\d\d:\d\d:\d\d\.\d{3} {2}/.test(line));
  }

  /** Safe twice. */
  async stop(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const ended = once(this.child, 'exit');
    this.child.kill('SIGTERM');
    await ended;
  }
}

describe('README.md and docs, pasted as they stand', function () {
  this.timeout(60_000);

  let folder: string;
  let service: Service;
  let receiver: ReadmeReceiver;
  let probe: KafkaProbe;
  let topic: string;

  before(async () => {
    const broker = kafkaTestBroker();
    probe = new KafkaProbe(broker);
    topic = await probe.createTopic();
    receiver = await ReadmeReceiver.start(['--fail', '2'], 0);
    service = await Service.start({ settings: { KAFKA_BROKERS: `${broker.host}:${broker.port}` } });
    // The examples as they are, but for the addresses of this test.
    folder = await mkdtemp(path.join(tmpdir(), 'readme-'));
    await cp(path.join(root, 'examples'), path.join(folder, 'examples'), { recursive: true });
    for (const file of await readdir(folder, { recursive: true, withFileTypes: true })) {
      if (!file.isFile()) continue;
      const full = path.join(file.parentPath, file.name);
      await writeFile(full, withOurAddresses(await readFile(full, 'utf8')));
    }
  });

  after(async () => {
    // Whatever `before` could not make needs no end; the rest ends even when one of them fails.
    const ends = [service, probe].map((each: { close(): Promise<void> } | undefined) => each?.close());
    const endings = await Promise.allSettled([...ends, (receiver as ReadmeReceiver | undefined)?.stop(), rm(folder, { recursive: true, force: true })]);
    for (const ending of endings) if (ending.status === 'rejected') throw ending.reason;
  });

  function withOurAddresses(text: string): string {
    return text
      .replaceAll(/http:\/\/(127\.0\.0\.1|localhost):8080/g, service.baseUrl)
      .replaceAll('http://127.0.0.1:9099', `http://127.0.0.1:${receiver.port}`)
      .replaceAll('"topic": "orders"', `"topic": "${topic}"`);
  }

  function pageNamed(name: string): string {
    return pages.find(({ file }) => file === name)?.text ?? '';
  }

  function blockNamed(name: string): DocBlock {
    const block = blocks.get(name);
    if (block === undefined) throw new Error(`no page has a block ${name}`);
    return block;
  }

  /** Runs the block under `<!-- test: name -->`. @returns what it printed */
  async function paste(name: string): Promise<string> {
    const block = blockNamed(name);
    pasted.add(name);
    const env = { ...process.env, URL: service.baseUrl };
    const { stdout } = await execFileAsync('bash', ['-c', withOurAddresses(block.code)], { cwd: folder, timeout: 20_000, env });
    const requests = requestsOf(block);
    const answers = requests.length === 0 ? [] : stdout.trimEnd().replaceAll('}{', '}\n{').split('\n').slice(-requests.length);
    for (const [index, request] of requests.entries()) {
      const body: unknown = JSON.parse(answers[index] ?? '');
      const verdicts = [200, 201, 202].map((status) => answerViolations({ ...request, status, body }));
      expect(verdicts, `${name}: ${answers[index] ?? ''}`).to.deep.include([]);
    }
    return stdout;
  }

  it('delivers the first HTTP task at the third attempt, and tells so', async () => {
    const answer = JSON.parse(await paste('first-task')) as Record<string, unknown>;
    expect(answer).to.include({ message: 'Task order-1001 scheduled successfully', id: 'order-1001', state: 'scheduled', run: 1 });

    await waitForState(service.baseUrl, 'order-1001', 'delivered', { withinMs: 20_000 });
    const seen = receiver.lines.map((line) => line.replace(/^\S+ {2}/, ''));
    const [, shown = ''] = /```\n(12:00:01[^]*?)```/.exec(pageNamed('README.md')) ?? [];
    expect(seen).to.deep.equal(shown.trimEnd().split('\n').map((line) => line.replace(/^\S+ {2}/, '')));

    const task = JSON.parse(await paste('read-task')) as { state: string; timeline: { outcome: string; http_status: number }[] };
    expect(task.state).to.equal('delivered');
    expect(task.timeline.map(({ outcome, http_status }) => `${outcome} ${http_status}`)).to.deep.equal(['failed 503', 'failed 503', 'delivered 200']);
  });

  it('finds and counts tasks', async () => {
    // The task of the test before.
    const [list = '', count = ''] = (await paste('find-tasks')).trimEnd().replaceAll('}{', '}\n{').split('\n');
    const { tasks } = JSON.parse(list) as { tasks: { id: string; state: string }[] };
    expect(tasks.map(({ id, state }) => `${id} ${state}`)).to.include('order-1001 delivered');
    expect((JSON.parse(count) as { count: number }).count).to.be.at.least(1);
  });

  it('shows the fields that the contract names', async () => {
    // The task of the test before.
    const { body } = await call(service.baseUrl, '/tasks/order-1001?include=message_data');
    const served = await fetch(`${service.baseUrl}/openapi.yaml`);
    expect(served.headers.get('content-type')).to.match(/yaml/);
    const { components } = parse(await served.text()) as { components: { schemas: { TaskView: { properties: object; required: string[] } } } };
    const { properties, required } = components.schemas.TaskView;
    expect(body).to.have.all.keys(Object.keys(properties));
    expect(body).to.include.all.keys(required);
  });

  it('delivers the first Kafka task', async () => {
    const answer = JSON.parse(await paste('first-kafka-task')) as { id: string };
    expect(answer.id).to.equal('order-1002');
    const [message] = await probe.readAtLeast(topic, 1, 20_000);
    expect(message?.key?.toString()).to.equal('order-1002|0');
    expect(message?.value?.toString()).to.equal('{"order":1002,"total":"5.00"}');
  });

  it('parks the task that says so, and redrives it by the Retry of Bull Board', async () => {
    const { port } = receiver;
    await receiver.stop();
    expect(await paste('park')).to.match(/^park: 201 /);
    const parked = await waitForState(service.baseUrl, 'order-1003', 'parked', { withinMs: 20_000 });
    expect(parked.timeline).to.have.lengthOf(3);

    receiver = await ReadmeReceiver.start([], port);
    // What the button sends.
    const retried = await call(service.baseUrl, '/admin/queues/api/queues/deliver-0/t-order-1003/retry', { method: 'PUT' });
    expect(retried.status).to.be.within(200, 299);
    await waitForState(service.baseUrl, 'order-1003', 'delivered', { withinMs: 20_000 });
    expect((await getTask(service.baseUrl, 'order-1003')).run).to.equal(2);
    expect(receiver.lines.join('\n')).to.include('key order-1003|0  attempt 0');
  });

  /** The JSON that the page shows behind the block of that name. */
  function answerShownFor(name: string): Readonly<Record<string, unknown>> {
    const { answer } = blockNamed(name);
    if (answer === undefined) throw new Error(`no answer is shown for ${name}`);
    return answer;
  }

  it('cancels a task that waits', async () => {
    const [created, answer = ''] = (await paste('cancel')).trimEnd().split('\n');
    expect(created).to.match(/^http: 201 /);
    expect(JSON.parse(answer)).to.deep.equal(answerShownFor('cancel'));
    expect((await getTask(service.baseUrl, 'order-1001')).state).to.equal('cancelled');
  });

  it('starts a parked task again', async () => {
    const { port } = receiver;
    await receiver.stop();
    const { run } = JSON.parse((await paste('park')).replace('park: 201 ', '')) as { run: number };
    await waitForState(service.baseUrl, 'order-1003', 'parked', { withinMs: 20_000 });
    receiver = await ReadmeReceiver.start([], port);
    const { next_attempt_at: at, ...answer } = JSON.parse(await paste('retry-now')) as Record<string, unknown>;
    const { next_attempt_at: shownAt, ...shown } = answerShownFor('retry-now');
    expect([typeof at, answer]).to.deep.equal([typeof shownAt, { ...shown, run: run + 1 }]);
    await waitForState(service.baseUrl, 'order-1003', 'delivered', { withinMs: 20_000 });
  });

  it('changes a parked task, starts it again, and sends it changed', async () => {
    const { port } = receiver;
    await receiver.stop();
    await paste('park');
    await waitForState(service.baseUrl, 'order-1003', 'parked', { withinMs: 20_000 });
    receiver = await ReadmeReceiver.start([], port);
    const changed = JSON.parse(await paste('edit')) as { state: string; edits: number; policy: { max_retries: number } };
    expect([changed.state, changed.edits, changed.policy.max_retries]).to.deep.equal(['parked', 1, 4]);
    await call(service.baseUrl, '/tasks/order-1003/retry', { method: 'POST' });
    await waitForState(service.baseUrl, 'order-1003', 'delivered', { withinMs: 20_000 });
  });

  it('tells what fails', async () => {
    const [now, shown] = [JSON.parse(await paste('failures')) as object, answerShownFor('failures')];
    expect(Object.keys(now)).to.deep.equal(Object.keys(shown));
  });

  it('begins one run for two requests with the same Idempotency-Key', async () => {
    const answers = (await paste('idempotency-key')).replaceAll('}{', '}\n{').trimEnd().split('\n').map((line) => JSON.parse(line) as { run: number; is_duplicate: boolean });
    const [first] = answers;
    expect(answers.map(({ run, is_duplicate: isDuplicate }) => [run, isDuplicate])).to.deep.equal([[first?.run, false], [first?.run, true]]);
    await waitForState(service.baseUrl, 'order-1003', 'delivered', { withinMs: 20_000 });
  });

  it('makes an access key as SECURITY.md does it', async () => {
    const { key, role } = JSON.parse(await paste('first-key')) as Readonly<Record<string, unknown>>;
    expect(key).to.match(/^krs_[a-z0-9]{10}_[0-9a-f]{64}$/);
    expect(role).to.equal('submit');
  });

  it('stores credentials as SECURITY.md does it', async () => {
    const { bearer, signing } = JSON.parse(await paste('credentials')) as { bearer: object; signing: { secret: string } };
    expect(Object.keys(bearer)).to.deep.equal(['updated_at']);
    expect(signing.secret).to.match(/^whsec_/);
  });

  it('counts the tasks, under the names that API.md explains', async () => {
    const { counts, oldest_due_ms: oldest, workers } = JSON.parse(await paste('stats')) as { counts: object; oldest_due_ms: unknown; workers: unknown };
    const shown = answerShownFor('stats') as { counts: object };
    expect(Object.keys(counts)).to.deep.equal(Object.keys(shown.counts));
    expect([oldest, workers]).to.deep.equal([null, 1]);
    const [, table = ''] = /\| count \| tasks \|\n\|---\|---\|\n((?:\|.*\n)+)/.exec(pageNamed('docs/API.md')) ?? [];
    const explained = table.split('\n').flatMap((row) => [...(row.split(' | ')[0] ?? '').matchAll(/`(\w+)`/g)].map(([, name]) => name));
    expect(explained).to.have.members(Object.keys(counts));
  });

  it('says how it is', async () => {
    const [now, shown] = [JSON.parse(await paste('status')) as { counts: object }, answerShownFor('status') as object];
    expect(Object.keys(now)).to.deep.equal(Object.keys(shown));
  });

  it('limits, pauses and frees a destination', async () => {
    expect(JSON.parse(await paste('limit'))).to.deep.equal(answerShownFor('limit'));
    const answers = (await paste('pause')).trimEnd().replaceAll('}{', '}\n{').split('\n').map((line) => JSON.parse(line) as { paused: { reason: string } | null; limits: unknown });
    expect(answers.map(({ paused, limits }) => [paused?.reason, limits !== null])).to.deep.equal([['it is down', true], [undefined, true], [undefined, false]]);
  });

  it('tells who changed something', async () => {
    const [paused = '', audit = ''] = (await paste('audit')).trimEnd().replaceAll('}{', '}\n{').split('\n');
    const { key } = JSON.parse(paused) as { key: string };
    const [newest] = (JSON.parse(audit) as { entries: Readonly<Record<string, unknown>>[] }).entries;
    const [shown] = answerShownFor('audit')['entries'] as Readonly<Record<string, unknown>>[];
    const { action, actor, target, reason, outcome, count } = newest ?? {};
    expect({ action, actor, target, reason, outcome, count }).to.deep.equal({ action: shown?.['action'], actor: shown?.['actor'], target: shown?.['target'], reason: shown?.['reason'], outcome: 'done', count: 1 });
    expect([key, Object.keys(newest ?? {})]).to.deep.equal(['https://crm.example.com', Object.keys(shown ?? {})]);
  });

  it('hands over all sample tasks with create-tasks.mjs', async () => {
    const { stdout } = await execFileAsync(process.execPath, ['examples/create-tasks.mjs'], { cwd: folder, timeout: 20_000 });
    const answers = stdout.trimEnd().split('\n').map((line) => line.split(' ').slice(0, 2).join(' '));
    const names = (await readdir(path.join(root, 'examples/tasks'))).map((file) => path.basename(file, '.json')).sort();
    expect(answers).to.deep.equal(names.map((name) => `${name}: 201`));
  });

  it('left no block of any page out', () => {
    expect([...pasted]).to.have.members([...blocks.keys()]);
  });
});

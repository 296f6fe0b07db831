import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, rmSync, truncateSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import path from 'node:path';
import { promisify } from 'node:util';

import { expect } from 'chai';

import { eventually } from '../support/eventually.js';
import { createReceiver, type Receiver } from '../support/receiver.js';
import { createLauncherClone, isRunning, type LauncherClone } from './launcher-clone.js';

const execFileAsync = promisify(execFile);

describe('npm start', function () {
  // Two or three starts and stops each, on two cores.
  this.timeout(120_000);

  let clone: LauncherClone;
  let receiver: Receiver;

  beforeEach(async () => {
    clone = await createLauncherClone();
    receiver = await createReceiver();
  });
  afterEach(async () => {
    try {
      await clone.close();
    } finally {
      await receiver.close();
    }
  });

  it('says where everything is, with a curl line that can be pasted as it is', async () => {
    const run = clone.start();
    await run.ready();

    expect(run.output()).to.contain(`API         ${clone.baseUrl}`);
    expect(run.output()).to.contain(`${clone.baseUrl}/admin/queues`);
    const line = /^curl -sS -X POST .*$/m.exec(run.output())?.[0] ?? '';
    const { stdout } = await execFileAsync('bash', ['-c', `${line} -w '\\n%{http_code}'`]);
    const [body = '', status] = stdout.split('\n');
    expect(status, body).to.equal('201');
    const { id } = JSON.parse(body) as { id: string };
    expect(id).to.match(/^hello-\d+$/);
    expect(await stateOf(id)).to.equal('scheduled');
  });

  it('says with AUTH on how to paste it with a key, and in prod that the receiver of the example is forbidden', async () => {
    const key = `krs_ops1_${'0a'.repeat(32)}`;
    const settings = { ENVIRONMENT: 'prod', AUTH: 'on', BOOTSTRAP_API_KEY: key };
    const run = clone.start(settings);
    await run.ready();
    expect(run.output()).to.contain('DESTINATION_POLICY forbids 127.0.0.1:9099 here').and.not.contain(key);
    expect(run.output()).to.match(/^Where it is now: .*\/tasks\/<id from the answer> -H "Authorization: Bearer \$KAFKA_RETRY_KEY"$/m);
    const line = /^curl -sS -X POST .*$/m.exec(run.output())?.[0] ?? '';
    const { stdout } = await execFileAsync('bash', ['-c', `export KAFKA_RETRY_KEY=${key}; ${line} -w '\n%{http_code}'`]);
    expect(stdout, 'the key is taken').to.match(/the address policy of this deployment forbids 127\.0\.0\.1:9099[^]*400$/);
  });

  it('does not say that the service runs where nobody may call it', async () => {
    const run = clone.start({ ENVIRONMENT: 'prod', AUTH: 'on', BOOTSTRAP_API_KEY: '' });
    expect(await run.ended()).to.equal(78);
    expect(run.output()).to.contain('no access key is stored').and.not.contain('The service is running.');
  });

  it('leaves nothing running after Ctrl-C, exits 0, and has the tasks at the next start', async () => {
    const first = clone.start({ WORKERS: '2' });
    await first.ready();
    const running = clone.processes();
    expect(running.map(({ name }) => name)).to.have.members(['api', 'worker 1', 'worker 2', 'redis']);
    await submit({ id: 'kept', initial_delay: 3_600 });

    first.signal('SIGINT');
    expect(await first.ended()).to.equal(0);
    expect(running.filter(({ pid }) => isRunning(pid))).to.deep.equal([]);
    expect(existsSync(clone.lockFile)).to.equal(false);

    await clone.start().ready();
    expect(await stateOf('kept')).to.equal('scheduled');
  });

  it('takes the second of two signals in one Ctrl-C for the same wish (npm passes on what the terminal has sent)', async () => {
    receiver.on('/slow', { kind: 'answer', delayMs: 2_000 });
    const run = clone.start();
    await run.ready();
    await submit({ id: 'slow', destination: { url: receiver.url('/slow') } });
    await receiver.waitForRequests(1, { path: '/slow' });

    run.signal('SIGINT');
    await eventually(() => { expect(run.output()).to.contain('Stopping:'); });
    run.signal('SIGINT');
    expect(await run.ended()).to.equal(0);

    await clone.start().ready();
    expect(await stateOf('slow')).to.equal('delivered');
    // A task that was cut short would have been sent again.
    expect(receiver.requestsFor('slow')).to.have.length(1);
  });

  it('loses none of 100 tasks in flight at Ctrl-C', async () => {
    receiver.on('/slow', { kind: 'answer', delayMs: 1_000 });
    const ids = Array.from({ length: 100 }, (_, index) => `flying-${index}`);
    const first = clone.start({ WORKER_CONCURRENCY: '40' });
    await first.ready();
    await Promise.all(ids.map((id) => submit({ id, destination: { url: receiver.url('/slow') } })));
    await receiver.waitForRequests(20);

    first.signal('SIGINT');
    expect(await first.ended()).to.equal(0);
    expect(receiver.requests.length).to.be.lessThan(ids.length);

    await clone.start({ WORKER_CONCURRENCY: '40' }).ready();
    for (const id of ids) {
      await eventually(async () => { expect(await stateOf(id)).to.equal('delivered'); }, { withinMs: 30_000, everyMs: 50 });
      expect(receiver.requestsFor(id)).to.not.have.length(0);
    }
  });

  it('stops the later of two starts at once, naming the pid of the other', async () => {
    const runs = [clone.start(), clone.start()];
    const loser = await Promise.race(runs.map(async (run) => {
      const exitCode = await run.ended();
      return { run, exitCode };
    }));
    const winner = runs.find((run) => run !== loser.run);
    if (winner === undefined) throw new Error('one of the two has not won');

    expect(loser.exitCode).to.equal(1);
    expect(loser.run.output()).to.contain(`already running in this folder: pid ${winner.pid}`);
    await winner.ready();
    await submit({ id: 'still-works', initial_delay: 3_600 });
  });

  it('takes over the Redis of a launcher that was killed, with its tasks, and restarts the rest', async () => {
    const killed = clone.start();
    await killed.ready();
    const redisPid = clone.pidOf('redis');
    const apiPid = clone.pidOf('api');
    await submit({ id: 'survivor', initial_delay: 3_600 });
    killed.signal('SIGKILL');
    await killed.ended();

    const next = clone.start();
    await next.ready();
    expect(clone.pidOf('redis')).to.equal(redisPid);
    expect(clone.pidOf('api')).to.not.equal(apiPid);
    expect(isRunning(apiPid)).to.equal(false);
    expect(await stateOf('survivor')).to.equal('scheduled');

    next.signal('SIGINT');
    expect(await next.ended()).to.equal(0);
    expect(isRunning(redisPid)).to.equal(false);
  });

  it('finds the Redis of its folder even when the lock is gone', async () => {
    const killed = clone.start();
    await killed.ready();
    const redisPid = clone.pidOf('redis');
    const apiPid = clone.pidOf('api');
    await submit({ id: 'survivor', initial_delay: 3_600 });
    killed.signal('SIGKILL');
    await killed.ended();
    rmSync(clone.lockFile);
    // Without the lock no process knows which other one to wait for.
    await eventually(() => { expect(isRunning(apiPid)).to.equal(false); }, { withinMs: 20_000, everyMs: 100 });

    await clone.start().ready();
    expect(clone.pidOf('redis')).to.equal(redisPid);
    expect(await stateOf('survivor')).to.equal('scheduled');
  });

  it('says so when the end of the append-only file was torn, and has all before it', async () => {
    const first = clone.start();
    await first.ready();
    await submit({ id: 'kept', initial_delay: 3_600 });
    await submit({ id: 'torn', initial_delay: 3_600 });
    first.signal('SIGINT');
    expect(await first.ended()).to.equal(0);
    expect(first.output()).to.not.contain('append-only file torn');
    const folder = path.join(clone.dir, '.data', 'redis', 'appendonlydir');
    const file = path.join(folder, readdirSync(folder).find((name) => name.endsWith('.incr.aof')) ?? '');
    // In the middle of the command that stored the last task.
    truncateSync(file, readFileSync(file).lastIndexOf('t-torn'));

    const next = clone.start();
    await next.ready();
    expect(next.output()).to.contain('Redis found the end of its append-only file torn').and.contain(path.join(clone.dir, '.data', 'redis', 'redis.log'));
    expect(await stateOf('kept')).to.equal('scheduled');
    expect((await fetch(`${clone.baseUrl}/tasks/torn`)).status).to.equal(404);
  });

  it('names the port, its variable and a port that is free when the port is taken, and starts nothing', async () => {
    const squat = async (port: number): Promise<Server> => {
      const server = createServer((socket) => { socket.destroy(); }).listen(port, '127.0.0.1');
      await once(server, 'listening');
      return server;
    };
    const squatters = [await squat(clone.httpPort)];
    try {
      const run = clone.start();
      expect(await run.ended()).to.equal(1);
      expect(run.output()).to.contain(`Port ${clone.httpPort} on 127.0.0.1 is taken`);
      const [, free = ''] = /HTTP_PORT=(\d+) npm start/.exec(run.output()) ?? [];
      squatters.push(await squat(Number(free)));
      expect(clone.processes()).to.deep.equal([]);
    } finally {
      for (const squatter of squatters) {
        squatter.close();
        await once(squatter, 'close');
      }
    }
  });

  it('names all settings that are wrong, those too that its own Redis has no use for, and starts nothing', async () => {
    const run = clone.start({ WORKER_CONCURRENCY: 'many', WORKERS: '0', REDIS_TLS: 'perhaps', SHUTDOWN_TIMOUT: '3s' });
    expect(await run.ended()).to.equal(78);
    for (const text of ['WORKER_CONCURRENCY="many"', 'WORKERS="0": must be a whole number from 1 to 64', 'REDIS_TLS="perhaps": must be true or false', 'SHUTDOWN_TIMEOUT is probably meant']) expect(run.output()).to.contain(text);
    expect(run.output()).to.not.contain('starting it again');
    expect(clone.processes()).to.deep.equal([]);
  });

  it('does not start a Redis of its own for one who wants a cluster and has not said where it is', async () => {
    const run = clone.start({ REDIS_MODE: 'cluster' });
    expect(await run.ended()).to.equal(78);
    expect(run.output()).to.contain('REDIS_CLUSTER_ADDRS: is required when REDIS_MODE=cluster');
  });

  it('says who stops, and each process says what it waits for', async () => {
    const run = clone.start({ WORKERS: '2' });
    // Before that the launcher asks the API whether it is up, which would be in flight.
    await run.ready();
    await eventually(() => {
      for (const name of ['worker 1', 'worker 2']) expect(run.output()).to.contain(` ${name}: worker is up`);
    }, { withinMs: 30_000, everyMs: 100 });
    run.signal('SIGINT');
    expect(await run.ended()).to.equal(0);
    expect(run.output()).to.contain('Stopping: api, worker 1, worker 2. What is in flight may finish, at most ');
    for (const name of ['api', 'worker 1', 'worker 2']) expect(run.output()).to.match(new RegExp(` ${name}: stopping, nothing in flight why=SIGTERM\n[^]* ${name}: stopped\n`));
    expect(run.output()).to.match(/\nStopped\.\n$/);
  });

  it('starts a worker again that was killed', async () => {
    await clone.start().ready();
    const workerPid = clone.pidOf('worker');
    process.kill(workerPid, 'SIGKILL');

    await eventually(() => { expect(clone.pidOf('worker')).to.not.equal(workerPid); }, { withinMs: 15_000, everyMs: 100 });
    await submit({ id: 'after', destination: { url: receiver.url('/') } });
    await receiver.waitForRequests(1, { withinMs: 20_000 });
  });

  it('starts Redis again that was killed, with what it had stored', async () => {
    await clone.start().ready();
    await submit({ id: 'stored', initial_delay: 3_600 });
    const redisPid = clone.pidOf('redis');
    // Every answered write is in the file by then; everysec puts off only the sync, which matters when the host dies.
    process.kill(redisPid, 'SIGKILL');

    await eventually(async () => { expect(await stateOf('stored')).to.equal('scheduled'); }, { withinMs: 20_000, everyMs: 200 });
    expect(clone.pidOf('redis')).to.not.equal(redisPid);
  });

  async function submit(task: { readonly id: string } & Record<string, unknown>): Promise<void> {
    const url = receiver.url('/unused');
    const response = await fetch(`${clone.baseUrl}/tasks`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        source: 'launcher-test',
        client_id: 'e2e',
        destination_type: 'http',
        destination: { url },
        dead_destination: { url },
        max_retries: 3,
        base_delay: 0.1,
        message_data: task.id,
        ...task,
      }),
    });
    expect(response.status, await response.text()).to.equal(201);
  }

  async function stateOf(id: string): Promise<unknown> {
    const response = await fetch(`${clone.baseUrl}/tasks/${id}`);
    const text = await response.text();
    expect(response.status, text).to.equal(200);
    return (JSON.parse(text) as { state?: unknown }).state;
  }
});

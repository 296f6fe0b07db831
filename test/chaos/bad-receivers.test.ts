import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

import { expect } from 'chai';

import { eventually } from '../support/eventually.js';
import { createReceiver, type Behaviour } from '../support/receiver.js';
import { getTask, type WireTask } from '../support/tasks.js';
import { UNKNOWN_HOST } from '../support/unknown-host.js';
import { inParallel } from './in-parallel.js';
import { heapMiB, openSockets, residentMiB, tellsItsHeap } from './process-facts.js';
import { profile } from './profile.js';
import { scenario, type Scene } from './scenario.js';

/** The short form runs on machines that do other things, too: there a receiver may need seconds to be heard at all. */
const LIMIT_MS = profile.name === 'long' ? 3_000 : 6_000;
const MIB = 1_048_576;
const MOST_GROWTH_MIB = 5;

const behaviours: readonly (readonly [path: string, behaviour: Behaviour, code: string])[] = [
  ['/hangs', { kind: 'hang' }, 'timed_out'],
  // Longer than the limit: the status counts.
  ['/trickles', { kind: 'trickle', status: 500 }, 'http_server_error'],
  ['/hangs-behind-headers', { kind: 'hang', after: 'headers', status: 500 }, 'http_server_error'],
  ['/resets', { kind: 'break', when: 'before_headers' }, 'connection_reset'],
  ['/resets-in-body', { kind: 'break', when: 'in_body', status: 500 }, 'http_server_error'],
  ['/closes', { kind: 'break', when: 'before_headers', how: 'close' }, 'connection_reset'],
  ['/big', { kind: 'big', bodyBytes: 50 * MIB, status: 500 }, 'http_server_error'],
  ['/1xx', { kind: 'raw', bytes: 'HTTP/1.1 103 Early Hints\r\n\r\n' }, 'connection_reset'],
  ['/3xx', { kind: 'answer', status: 302, headers: { location: '/elsewhere' } }, 'http_redirect'],
  ['/4xx', { kind: 'answer', status: 404 }, 'http_client_error'],
  ['/5xx', { kind: 'answer', status: 500 }, 'http_server_error'],
  ['/busy', { kind: 'answer', status: 503 }, 'http_busy'],
  ['/noise', { kind: 'raw', bytes: 'what is this\r\n\r\n' }, 'response_invalid'],
];

describe('chaos: receivers that misbehave', () => {
  scenario('10', `${profile.badAnswers.toLocaleString('en')} bad answers of ${behaviours.length + 3} kinds`, async (scene) => {
    // No worker dies here. With the short locks of the other scenarios a stall of the machine would look like it.
    const { ledger, crew, receiver, service } = await scene.stage({ settings: { DELIVERY_TIMEOUT: `${LIMIT_MS}ms`, LOCK_DURATION: '30s', ...tellsItsHeap } });
    for (const [at, behaviour] of behaviours) ledger.on(at, behaviour);
    const secure = await selfSignedReceiver(scene);
    const targets = [
      ...behaviours.map(([at, , code]) => ({ url: receiver.url(at), code })),
      { url: secure, code: 'tls_failed' },
      { url: `http://${UNKNOWN_HOST}/`, code: 'host_not_found' },
      { url: 'http://127.0.0.1:9/', code: 'connection_refused' },
    ];
    const [worker] = crew.members;
    if (worker === undefined) throw new Error('no worker');
    const idle = openSockets(worker.pid);
    const expected = new Map<string, string>();
    const make = (nth: number): WireTask => {
      const { url = '', code = '' } = targets[nth % targets.length] ?? {};
      const task = ledger.task({ destination: { url }, max_retries: 0 });
      expected.set(task.id, code);
      return task;
    };
    const first = Math.round(profile.badAnswers / 5);
    await ledger.submitAll(Array.from({ length: first }, (_, nth) => make(nth)));
    await ledger.settle({ withinMs: 60_000, everyMs: 1_000 });
    const before = { sockets: openSockets(worker.pid), heap: await heapMiB(worker, 1), memory: residentMiB(worker.pid) };

    await ledger.submitAll(Array.from({ length: profile.badAnswers - first }, (_, nth) => make(nth)));
    ledger.faultIsOver();
    // Not more often: this process is the receiver, too, and hundreds of questions at once keep it from answering.
    const measured = await ledger.settle({ withinMs: 200_000, everyMs: 1_000 });
    // Connections that are still good are kept for some seconds.
    const sockets = await eventually(() => {
      const open = openSockets(worker.pid);
      expect(open, 'every connection is released').to.be.at.most(idle + 2);
      return open;
    }, { withinMs: 15_000, everyMs: 100 });
    const after = { sockets, heap: await heapMiB(worker, 2), memory: residentMiB(worker.pid) };
    expect(after.heap - before.heap, 'MiB of heap more, garbage collected').to.be.below(MOST_GROWTH_MIB);
    expect(measured.dead).to.equal(profile.badAnswers);
    // On a machine that does other things, too, a request may stand in the receiver's socket until the limit. Then timed_out is right.
    const wasUnheard = (id: string, startedAt: number): boolean =>
      profile.name === 'short' && (receiver.requestsFor(id)[0]?.arrivedAt ?? Infinity) > startedAt + LIMIT_MS - 500;
    let unheard = 0;
    let slowestMs = 0;
    await inParallel([...expected], 16, async ([id, code]) => {
      const [attempt] = (await getTask(service.baseUrl, id)).timeline;
      if (attempt?.error_code === 'timed_out' && wasUnheard(id, Date.parse(attempt.started_at ?? ''))) unheard += 1;
      else expect(attempt?.error_code, `${id} ${JSON.stringify(attempt)}`).to.equal(code);
      slowestMs = Math.max(slowestMs, attempt?.duration_ms ?? Infinity);
    });
    expect(unheard, 'attempts that no receiver heard in time').to.be.at.most(profile.badAnswers / 4);
    expect(slowestMs, 'total time of one attempt').to.be.at.most(LIMIT_MS + (profile.name === 'long' ? 1_000 : 3_000));
    return { ...measured, note: `each its own code; slowest attempt ${slowestMs} ms at a limit of ${LIMIT_MS}; sockets ${idle} before, ${before.sockets} in it, ${after.sockets} after; heap ${before.heap} to ${after.heap} MiB, resident memory ${before.memory} to ${after.memory} MiB` };
  }, { longMs: 400_000 });
});

async function selfSignedReceiver(scene: Scene): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'chaos-tls-'));
  scene.onClose(() => rm(folder, { recursive: true }));
  const [key, cert] = [path.join(folder, 'key.pem'), path.join(folder, 'cert.pem')];
  const algorithm = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'];
  await promisify(execFile)('openssl', ['req', '-x509', '-nodes', ...algorithm, '-days', '2', '-subj', '/CN=chaos', '-keyout', key, '-out', cert]);
  const receiver = await createReceiver({ tls: { key: await readFile(key, 'utf8'), cert: await readFile(cert, 'utf8') } });
  scene.onClose(() => receiver.close());
  return receiver.url('/');
}

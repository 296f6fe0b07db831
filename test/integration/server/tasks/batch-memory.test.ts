import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect } from 'node:net';

import { expect } from 'chai';

import { PrivateRedis } from '../../../support/redis.js';
import { Service } from '../../../support/service.js';
import { httpTask, uniqueId } from '../../../support/tasks.js';

const BATCH_BYTES = 31 * 1_048_576;
const MESSAGE = 'x'.repeat(100_000);
/** At the same time: what one would keep drowns in what the garbage collector leaves lying about; not what sixteen would. */
const CLIENTS = 16;
/** Far above what is seen (125 to 200 MiB), far below the 496 MiB of the bodies alone. */
const MAX_GROWTH_MIB = 300;
/** A list of so many pieces weighs 400 to 600 MiB. */
const SMALL_CHUNKS = 1_500_000;

/** The most that a process has had in memory so far, and what it has now, in MiB. */
function memoryMiB(pid: number): { peak: number; now: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const read = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) / 1_024;
  return { peak: read('VmHWM'), now: read('VmRSS') };
}

/** Streams tasks line by line, as fast as the service takes them. @returns how many there were, and the counts of the answer */
async function streamBatch(baseUrl: string): Promise<{ sent: number; counts: unknown }> {
  const upload = request(`${baseUrl}/tasks/batch`, { method: 'POST', agent: false, headers: { 'content-type': 'application/x-ndjson' } });
  const answered = new Promise<{ counts: unknown }>((resolve, reject) => {
    upload.on('error', reject);
    upload.on('response', (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => { text += chunk.toString(); });
      response.on('end', () => { resolve(JSON.parse(text) as { counts: unknown }); });
    });
  });
  let sent = 0;
  for (let bytes = 0; bytes < BATCH_BYTES; sent += 1) {
    const line = `${JSON.stringify(httpTask('http://127.0.0.1:9/', { id: uniqueId(), initial_delay: 3_600, message_data: MESSAGE }))}\n`;
    bytes += line.length;
    if (!upload.write(line)) await once(upload, 'drain');
  }
  upload.end();
  return { sent, counts: (await answered).counts };
}

/** Sends a body in HTTP chunks of one byte. @returns the status of the answer */
async function sendByteByByte(baseUrl: string, path: string, contentType: string): Promise<number> {
  const { hostname, port } = new URL(baseUrl);
  const socket = connect(Number(port), hostname);
  let answer = '';
  socket.on('data', (data) => { answer += data.toString(); });
  const closed = once(socket, 'close');
  socket.write(`POST ${path} HTTP/1.1\r\nHost: ${hostname}\r\nContent-Type: ${contentType}\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n`);
  const chunks = '1\r\n[\r\n'.repeat(10_000);
  for (let sent = 0; sent < SMALL_CHUNKS; sent += 10_000) {
    if (!socket.write(chunks)) await once(socket, 'drain');
  }
  socket.write('0\r\n\r\n');
  await closed;
  return Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1]);
}

describe('the memory of POST /tasks/batch', () => {
  let redis: PrivateRedis;
  let service: Service;

  before(async () => {
    redis = await PrivateRedis.start([]);
    service = await Service.start({ workers: 0, redis: redis.address });
  });
  after(async () => {
    await service.close();
    await redis.close();
  });

  it(`stays flat while ${CLIENTS} clients stream NDJSON of 31 MiB each`, async function () {
    this.timeout(240_000);
    const { pid } = service.server;
    await streamBatch(service.baseUrl); // so that its code is compiled and its heap has grown
    const before = memoryMiB(pid).now;
    const batches = await Promise.all(Array.from({ length: CLIENTS }, () => streamBatch(service.baseUrl)));
    for (const { sent, counts } of batches) expect(counts).to.deep.equal({ total: sent, created: sent, already_scheduled: 0, refused: 0, failed: 0 });
    const growth = memoryMiB(pid).peak - before;
    expect(growth, `${Math.round(before)} MiB before`).to.be.below(MAX_GROWTH_MIB);
  });

  const bodies: readonly (readonly [path: string, contentType: string, status: number])[] = [
    ['/tasks', 'application/json', 400],
    ['/tasks/batch', 'application/json', 400],
    ['/tasks/batch', 'application/x-ndjson', 207],
  ];
  for (const [path, contentType, status] of bodies) {
    it(`does not grow with the number of chunks in which a body comes: ${path}, ${contentType}`, async function () {
      this.timeout(240_000);
      const { pid } = service.server;
      writeFileSync(`/proc/${pid}/clear_refs`, '5'); // the peak begins anew
      const before = memoryMiB(pid).now;
      expect(await sendByteByByte(service.baseUrl, path, contentType)).to.equal(status);
      const growth = memoryMiB(pid).peak - before;
      expect(growth, `${Math.round(before)} MiB before`).to.be.below(MAX_GROWTH_MIB);
    });
  }
});

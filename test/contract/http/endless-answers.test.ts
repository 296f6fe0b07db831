import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as wait } from 'node:timers/promises';

import { expect } from 'chai';

import type { HttpDestination } from '../../../shared/domain/destinations/http.js';
import type { DeliveryAdapter } from '../../../shared/domain/ports.js';
import { createHttpAdapter } from '../../../workers/adapters/http/http-adapter.js';
import { eventually } from '../../support/eventually.js';
import { killWithUs } from '../../support/kill-with-us.js';
import { createReceiver, type Receiver } from '../../support/receiver.js';
import { inShort, sendTo } from './sending.js';

/** What a receiver begins with, what it then repeats for ever, and what becomes of the send. */
const endless: readonly (readonly [what: string, begin: string, again: string, short: string])[] = [
  ['interim answers', '', 'HTTP/1.1 102 Processing\r\n\r\n', 'response_invalid'],
  ['interim answers with headers', '', 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n', 'response_invalid'],
  ['headers of one interim answer', 'HTTP/1.1 100 Continue\r\n', 'A: b\r\n', 'response_invalid'],
  ['a status line', 'HTTP/1.1 200 ', 'O', 'response_invalid'],
  ['empty lines', '', '\r\n', 'response_invalid'],
  ['zero bytes', '', '\0', 'response_invalid'],
  ['one header', 'HTTP/1.1 200 OK\r\nA: ', 'b', 'delivered 200'],
  ['headers', 'HTTP/1.1 200 OK\r\n', 'A: b\r\n', 'delivered 200'],
  ['one folded header', 'HTTP/1.1 200 OK\r\nA: b\r\n', ' c\r\n', 'delivered 200'],
  ['zeros in the size of a chunk', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n', '0', 'delivered 200'],
  ['an extension of a chunk', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;a=', 'b', 'delivered 200'],
  ['chunks of one byte', 'HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n', '1\r\na\r\n', 'http_server_error'],
  ['trailers', 'HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n', 'A: b\r\n', 'http_server_error'],
  ['a body', 'HTTP/1.1 500 No\r\n\r\n', 'x', 'http_server_error'],
];

/**
 * A receiver in a process of its own: its CPU time is not ours. Path /<n> is the n-th kind, written as fast as it can be.
 * With /<n>?slowly it writes 16 KiB a millisecond, so that hardly anything waits in the buffers of the system, which
 * take 4 MB of what nobody reads. It prints its port, and for each connection how many bytes it got rid of.
 */
const receiverScript = `
  const { createServer } = require('node:net');
  const kinds = ${JSON.stringify(endless.map(([, begin, again]) => [begin, again]))};
  createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('close', () => console.log(socket.bytesWritten - socket.writableLength));
    socket.once('data', (bytes) => {
      const [, nth, slowly] = /^POST .(\\d+)(.slowly)?/.exec(bytes.toString('latin1'));
      const [begin, again] = kinds[Number(nth)];
      const block = Buffer.from(again.repeat(Math.ceil(16384 / again.length)), 'latin1');
      socket.write(begin, 'latin1');
      if (slowly) {
        const timer = setInterval(() => socket.write(block), 1);
        socket.once('close', () => clearInterval(timer));
        return;
      }
      const write = () => { while (!socket.destroyed && socket.write(block)); };
      socket.on('drain', write);
      write();
    });
  }).listen(0, '127.0.0.1', function () { console.log(this.address().port); });
`;

describe('http adapter: answers without end', function () {
  this.timeout(30_000);

  let adapter: DeliveryAdapter<HttpDestination>;
  let child: ChildProcess;
  let base = '';
  let gotRidOf: number[] = [];

  before(async () => {
    child = spawn(process.execPath, ['-e', receiverScript], { stdio: ['ignore', 'pipe', 'inherit'] });
    killWithUs(child);
    if (child.stdout === null) throw new Error('no pipe to the receiver');
    const lines = createInterface(child.stdout);
    const [port] = await once(lines, 'line') as [string]; // the first line that it prints
    base = `http://127.0.0.1:${port}`;
    lines.on('line', (line) => gotRidOf.push(Number(line)));
  });
  after(async () => {
    child.kill('SIGKILL');
    await once(child, 'exit');
  });
  beforeEach(() => {
    adapter = createHttpAdapter();
    gotRidOf = [];
  });
  afterEach(async () => {
    await adapter.close();
  });

  for (const [nth, [what, , , short]] of endless.entries()) {
    it(`is ${short} at ${what} without end, soon, and reads no more than it needs`, async () => {
      const startedAt = performance.now();
      const result = await sendTo(adapter, `${base}/${nth}?slowly`);
      expect(performance.now() - startedAt, 'ms; else it never ends').to.be.below(10_000);
      expect(inShort(result), JSON.stringify(result)).to.equal(short);
      if (short === 'response_invalid' && result.kind === 'failed') expect(result.detail).to.match(/^80 KiB came without the status line of a final answer$|^The status line is longer than 16 KiB$|^The answer is not HTTP/);
      const [bytes] = await eventually(() => {
        expect(gotRidOf).to.have.lengthOf(1);
        return gotRidOf;
      });
      expect(bytes, 'bytes that the receiver got rid of').to.be.below(1_048_576);
    });
  }

  describe('beside innocent receivers', () => {
    let innocent: Receiver;

    beforeEach(async () => {
      innocent = await createReceiver();
    });
    afterEach(async () => {
      await innocent.close();
    });

    it('does not hold them up: 20 tasks to such receivers, ten times a second each, and twenty innocents of 50 a second', async () => {
      const endAt = performance.now() + 3_000;
      const isOver = (): boolean => performance.now() > endAt;
      const lateMs: number[] = [];
      let attacks = 0;
      let worstTurnMs = 0;
      let last = process.cpuUsage();
      // CPU time of one turn of the event loop, as far as a timer of 5 ms sees turns.
      const turns = setInterval(() => {
        const used = process.cpuUsage(last);
        last = process.cpuUsage();
        worstTurnMs = Math.max(worstTurnMs, (used.user + used.system) / 1_000);
      }, 5);
      const attackers = Array.from({ length: 20 }, async (_, nth) => {
        for (; !isOver(); attacks += 1) {
          await sendTo(adapter, `${base}/${nth % endless.length}`);
          await wait(100);
        }
      });
      const innocents = Array.from({ length: 20 }, async () => {
        while (!isOver()) {
          const startedAt = performance.now();
          expect(inShort(await sendTo(adapter, innocent.url('/')))).to.equal('delivered 200');
          const tookMs = performance.now() - startedAt;
          lateMs.push(tookMs);
          await wait(Math.max(0, 20 - tookMs));
        }
      });
      await Promise.all([...attackers, ...innocents]);
      clearInterval(turns);
      lateMs.sort((a, b) => a - b);
      expect(attacks, 'attacks: each kind at least twice').to.be.above(2 * endless.length);
      expect(lateMs[Math.floor(lateMs.length * 0.99)], 'ms of an innocent, p99').to.be.below(2_000);
      expect(worstTurnMs, 'ms of CPU time in one turn').to.be.below(200);
    });
  });
});

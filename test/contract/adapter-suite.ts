import { expect } from 'chai';

import type { Destination } from '../../shared/domain/destinations/destination.js';
import type { DeliveryErrorCode } from '../../shared/domain/errors.js';
import type { DeliveryAdapter, DeliveryAttempt, DeliveryResult } from '../../shared/domain/ports.js';
import { ShuttingDown, TimeLimitReached } from '../../shared/domain/ports.js';
import { eventually } from '../support/eventually.js';

/** One send as the receiving end saw it, everything decoded from UTF-8 except the body. */
export interface Arrival {
  /** X-Message-Key, or the key of the Kafka message. */
  readonly key: string;
  /** Names in lower case. May hold more than was sent (content-type and the like), never less. */
  readonly headers: Readonly<Record<string, string>>;
  readonly bodyBytes: Buffer;
}

/** A destination where a send has to fail, and the codes it may fail with. */
export interface Fault<D extends Destination> {
  /** Ends the sentence "resolves as failed when ...", e.g. `the connection is reset in mid answer`. */
  readonly name: string;
  /** Called once per test, after `start`. */
  destination(): Promise<D>;
  readonly codes: readonly DeliveryErrorCode[];
}

/** Declares a fault that a type cannot have, because its sends reach no other side. */
export type CannotHappen = 'cannot happen';

/**
 * What a type of destination brings to the suite: its adapter, and a real receiving end.
 * Nothing is optional: what a type cannot do it has to declare, so that no case is skipped in silence.
 */
export interface AdapterHarness<D extends Destination> {
  /** A new adapter. The suite closes it. */
  createAdapter(): DeliveryAdapter<D>;
  /** Starts the receiving end, once before all tests. */
  start(): Promise<void>;
  /** Ends everything that `start` and `destination` made, once after all tests. */
  stop(): Promise<void>;
  /** A fresh destination in a namespace of its own (a path, a topic) that accepts everything. */
  destination(): Promise<D>;
  /**
   * Waits until at least `count` sends have arrived at a destination of `destination()`.
   * @returns all of them, oldest first
   * @throws  when fewer have come within a limit of the harness's choice (some seconds)
   */
  arrivals(destination: D, count: number): Promise<readonly Arrival[]>;
  /** The other side answers with a refusal. */
  readonly refusal: Fault<D> | CannotHappen;
  /** Nothing listens at that address. */
  readonly nothingListening: Fault<D> | CannotHappen;
  /**
   * The other side takes the connection and never answers. `codes` are those allowed once the time limit
   * has been reached: `timed_out`, unless the adapter has a shorter limit inside the attempt.
   */
  readonly silence: Fault<D> | CannotHappen;
  /** Whatever else can go wrong with this type: reset, malformed answer, unknown topic ... */
  readonly otherFaults: readonly Fault<D>[];
  /** The largest body the receiving end of this test takes, in bytes; at least 900,000. */
  readonly largestBodyBytes: number;
  /** What happens above it: a body of this many bytes is refused with one of the codes, or there is no limit. */
  readonly tooLarge: { readonly bodyBytes: number; readonly codes: readonly DeliveryErrorCode[] } | 'takes any size';
  /**
   * Connections that adapters hold open now, as the receiving end sees them. Where it cannot tell (a real broker)
   * return `countActiveSockets()`: the suite compares with the count from before the adapter was made.
   */
  openConnections(): number | Promise<number>;
}

/**
 * Sockets and look-ups of this process that are still in use. Sockets which their owner has unref'd do not show
 * (undici does that with idle ones), so a receiving end that can count its connections is the better witness.
 */
export function countActiveSockets(): number {
  const kinds = new Set(['TCPSocketWrap', 'TCPWRAP', 'TLSWrap', 'TCPConnectWrap', 'GetAddrInfoReqWrap']);
  return process.getActiveResourcesInfo().filter((kind) => kinds.has(kind)).length;
}

/** Time limit of a send that is not about time limits, in milliseconds: far above what a healthy one needs. */
const calmLimitMs = 20_000;
/** How soon a send has to resolve after its signal has aborted, in milliseconds. */
const promptMs = 5_000;

/** The suite that every destination type passes. See AdapterHarness for what to bring. */
export function describeAdapterContract<D extends Destination>(name: string, harness: AdapterHarness<D>): void {
  describe(`${name} adapter: the contract of every destination`, function () {
    // A cold broker may need some seconds for the first message of a new topic.
    this.timeout(60_000);

    const { nothingListening, silence } = harness;
    const faults = [harness.refusal, nothingListening, ...harness.otherFaults].filter((fault) => fault !== 'cannot happen');
    let connectionsBefore = 0;
    let adapter: DeliveryAdapter<D>;

    before(async () => {
      await harness.start();
    });
    after(async () => {
      await harness.stop();
    });
    beforeEach(async () => {
      connectionsBefore = await harness.openConnections();
      adapter = harness.createAdapter();
    });
    // This also proves, after every single test, that a closed adapter leaves nothing behind.
    afterEach(async () => {
      await adapter.close();
      await expectNoConnectionsLeft();
    });

    async function expectNoConnectionsLeft(): Promise<void> {
      await eventually(async () => {
        expect(await harness.openConnections(), 'connections open after close').to.be.at.most(connectionsBefore);
      });
    }

    async function deliver(attempt: DeliveryAttempt, destination: D): Promise<void> {
      const result = await sendCalmly(adapter, attempt, destination);
      expect(result.kind, describeResult(result)).to.equal('delivered');
    }

    describe('what arrives', () => {
      it('says the type it is for', async () => {
        expect(adapter.type).to.equal((await harness.destination()).type);
      });

      for (const [what, body] of trickyBodies) {
        it(`delivers the body byte for byte: ${what}`, async () => {
          const destination = await harness.destination();
          await deliver(attemptOf({ body }), destination);
          const [arrival] = await harness.arrivals(destination, 1);
          expectSameBytes(arrival, body);
        });
      }

      it('delivers the largest body byte for byte', async () => {
        const destination = await harness.destination();
        const body = variedText(harness.largestBodyBytes);
        await deliver(attemptOf({ body }), destination);
        const [arrival] = await harness.arrivals(destination, 1);
        expectSameBytes(arrival, body);
      });

      for (const id of trickyIds) {
        it(`delivers key and headers of the task id ${JSON.stringify(id)}`, async () => {
          const destination = await harness.destination();
          const sent = attemptOf({ id });
          await deliver(sent, destination);
          const [arrival] = await harness.arrivals(destination, 1);
          expectSameKeyAndHeaders(arrival, sent);
        });
      }

      it('delivers a key and headers of the greatest length', async () => {
        const destination = await harness.destination();
        const sent = attemptOf({ id: '🚚'.repeat(255) });
        await deliver(sent, destination);
        const [arrival] = await harness.arrivals(destination, 1);
        expectSameKeyAndHeaders(arrival, sent);
      });

      it('sends the same key, headers and body when the same attempt is sent again', async () => {
        const destination = await harness.destination();
        const sent = attemptOf({ id: 'again' });
        await deliver(sent, destination);
        await deliver(sent, destination);
        const arrivals = await harness.arrivals(destination, 2);
        expect(arrivals).to.have.lengthOf(2);
        for (const arrival of arrivals) {
          expectSameKeyAndHeaders(arrival, sent);
          expectSameBytes(arrival, sent.body);
        }
      });

      it('keeps the task id and changes the key from one attempt to the next', async () => {
        const destination = await harness.destination();
        await deliver(attemptOf({ id: 'retried', attempt: 0 }), destination);
        await deliver(attemptOf({ id: 'retried', attempt: 1 }), destination);
        const arrivals = await harness.arrivals(destination, 2);
        expect(arrivals.map((arrival) => arrival.headers['x-retry-task-id'])).to.deep.equal(['retried', 'retried']);
        expect(arrivals.map((arrival) => arrival.key)).to.deep.equal(['retried|0', 'retried|1']);
      });

      it('delivers 200 concurrent attempts exactly once each, none mixed up with another', async () => {
        const destination = await harness.destination();
        const sent = Array.from({ length: 200 }, (_, i) => attemptOf({ id: `task-${i}`, body: `{"number":${i}}` }));
        await Promise.all(sent.map((attempt) => deliver(attempt, destination)));
        // One more behind them: a second copy of any of the 200 would have come before it.
        const marker = attemptOf({ id: 'marker' });
        await deliver(marker, destination);

        const arrivals = await harness.arrivals(destination, sent.length + 1);
        expect(arrivals.map((arrival) => arrival.key)).to.have.members([...sent, marker].map((attempt) => attempt.key));
        const byKey = new Map(arrivals.map((arrival) => [arrival.key, arrival]));
        for (const attempt of sent) {
          expectSameKeyAndHeaders(byKey.get(attempt.key), attempt);
          expectSameBytes(byKey.get(attempt.key), attempt.body);
        }
      });

      it('keeps two destinations apart', async () => {
        const [here, there] = [await harness.destination(), await harness.destination()];
        await Promise.all([deliver(attemptOf({ id: 'here' }), here), deliver(attemptOf({ id: 'there' }), there)]);
        expect((await harness.arrivals(here, 1)).map((arrival) => arrival.key)).to.deep.equal(['here|0']);
        expect((await harness.arrivals(there, 1)).map((arrival) => arrival.key)).to.deep.equal(['there|0']);
      });

      if (harness.tooLarge === 'takes any size') {
        it('has no size limit of its own: a body four times the largest arrives too', async () => {
          const destination = await harness.destination();
          const body = variedText(4 * harness.largestBodyBytes);
          await deliver(attemptOf({ body }), destination);
          const [arrival] = await harness.arrivals(destination, 1);
          expectSameBytes(arrival, body);
        });
      } else {
        const { bodyBytes, codes } = harness.tooLarge;
        it(`resolves as failed (${codes.join(', ')}) when the body is too large, and delivers the next one`, async () => {
          const destination = await harness.destination();
          const result = await sendCalmly(adapter, attemptOf({ id: 'large', body: variedText(bodyBytes) }), destination);
          expectFailure(result, codes);
          await deliver(attemptOf({ id: 'small' }), destination);
          expect((await harness.arrivals(destination, 1)).map((arrival) => arrival.key)).to.deep.equal(['small|0']);
        });
      }
    });

    describe('what can go wrong', () => {
      for (const fault of faults) {
        it(`resolves as failed (${fault.codes.join(', ')}) when ${fault.name}`, async () => {
          expectFailure(await sendCalmly(adapter, attemptOf({}), await fault.destination()), fault.codes);
        });
      }

      if (nothingListening !== 'cannot happen') {
        it('resolves every one of 20 concurrent sends to the same broken destination', async () => {
          const destination = await nothingListening.destination();
          const sends = Array.from({ length: 20 }, (_, i) => sendCalmly(adapter, attemptOf({ id: `task-${i}` }), destination));
          const results = await Promise.all(sends);
          expect(results).to.have.lengthOf(20);
          for (const result of results) expectFailure(result, nothingListening.codes);
        });
      }

      it('still delivers elsewhere after every kind of failure', async () => {
        for (const fault of faults) {
          expectFailure(await sendCalmly(adapter, attemptOf({}), await fault.destination()), fault.codes);
        }
        const destination = await harness.destination();
        await deliver(attemptOf({ id: 'afterwards' }), destination);
        expect((await harness.arrivals(destination, 1)).map((arrival) => arrival.key)).to.deep.equal(['afterwards|0']);
      });

      if (silence !== 'cannot happen') {
        it(`resolves as failed (${silence.codes.join(', ')}) when ${silence.name}, soon after the time limit`, async () => {
          const limitMs = 300;
          const { result, tookMs } = await sendAndAbort(await silence.destination(), new TimeLimitReached(limitMs), limitMs);
          expectFailure(result, silence.codes);
          expect(tookMs, 'ms until it resolved').to.be.within(limitMs - 5, limitMs + promptMs);
        });

        it('does not let a silent destination hold up another one', async () => {
          const destination = await harness.destination();
          const limit = new AbortController();
          const held = adapter.send(attemptOf({ id: 'held' }), await silence.destination(), limit.signal);
          await deliver(attemptOf({ id: 'free' }), destination);
          limit.abort(new TimeLimitReached(1));
          expectFailure(await held, silence.codes);
        });
      }
    });

    describe('how it stops', () => {
      if (silence !== 'cannot happen') {
        it('resolves as shutting_down at once when told to stop in mid send', async () => {
          const { result, tookMs } = await sendAndAbort(await silence.destination(), new ShuttingDown(), 100);
          expectFailure(result, ['shutting_down']);
          expect(tookMs, 'ms until it resolved').to.be.at.most(100 + promptMs);
        });
      }

      it('resolves as shutting_down and sends nothing when it was told to stop before', async () => {
        const destination = await harness.destination();
        const result = await adapter.send(attemptOf({ id: 'never' }), destination, AbortSignal.abort(new ShuttingDown()));
        expectFailure(result, ['shutting_down']);
        await deliver(attemptOf({ id: 'behind' }), destination);
        expect((await harness.arrivals(destination, 1)).map((arrival) => arrival.key)).to.deep.equal(['behind|0']);
      });

      it('resolves as timed_out and sends nothing when the time limit was over before', async () => {
        const destination = await harness.destination();
        const result = await adapter.send(attemptOf({ id: 'never' }), destination, AbortSignal.abort(new TimeLimitReached(1)));
        expectFailure(result, ['timed_out']);
        await deliver(attemptOf({ id: 'behind' }), destination);
        expect((await harness.arrivals(destination, 1)).map((arrival) => arrival.key)).to.deep.equal(['behind|0']);
      });

      it('takes no notice of a signal that aborts after the send is over', async () => {
        const destination = await harness.destination();
        const limit = new AbortController();
        const result = await adapter.send(attemptOf({ id: 'first' }), destination, limit.signal);
        limit.abort(new TimeLimitReached(1));
        expect(result.kind, describeResult(result)).to.equal('delivered');
        await deliver(attemptOf({ id: 'second' }), destination);
        expect((await harness.arrivals(destination, 2)).map((arrival) => arrival.key)).to.deep.equal(['first|0', 'second|0']);
      });

      it('closes before the first send', async () => {
        await adapter.close();
        await expectNoConnectionsLeft();
      });

      it('closes twice, one after the other and at the same time', async () => {
        await deliver(attemptOf({}), await harness.destination());
        await Promise.all([adapter.close(), adapter.close()]);
        await adapter.close();
        await expectNoConnectionsLeft();
      });

      if (silence !== 'cannot happen') {
        it('resolves what is still being sent when it is closed', async () => {
          const limit = new AbortController();
          const held = adapter.send(attemptOf({ id: 'held' }), await silence.destination(), limit.signal);
          const [result] = await Promise.all([held, adapter.close()]);
          expectFailure(result, ['shutting_down']);
        });
      }

      it('resolves as shutting_down when something is sent after close', async () => {
        const destination = await harness.destination();
        await adapter.close();
        expectFailure(await sendCalmly(adapter, attemptOf({}), destination), ['shutting_down']);
      });

      it('leaves no connection behind after successes and every kind of failure', async () => {
        const destination = await harness.destination();
        await Promise.all(Array.from({ length: 20 }, (_, i) => deliver(attemptOf({ id: `task-${i}` }), destination)));
        for (const fault of faults) {
          expectFailure(await sendCalmly(adapter, attemptOf({}), await fault.destination()), fault.codes);
        }
        if (silence !== 'cannot happen') await sendAndAbort(await silence.destination(), new TimeLimitReached(50), 50);
        await adapter.close();
        await expectNoConnectionsLeft();
      });
    });

    async function sendAndAbort(
      destination: D,
      reason: Error,
      afterMs: number,
    ): Promise<{ result: DeliveryResult; tookMs: number }> {
      const limit = new AbortController();
      const startedAt = performance.now();
      const timer = setTimeout(() => { limit.abort(reason); }, afterMs);
      try {
        const result = await adapter.send(attemptOf({}), destination, limit.signal);
        return { result, tookMs: performance.now() - startedAt };
      } finally {
        clearTimeout(timer);
      }
    }
  });
}

async function sendCalmly<D extends Destination>(
  adapter: DeliveryAdapter<D>,
  attempt: DeliveryAttempt,
  destination: D,
): Promise<DeliveryResult> {
  const limit = new AbortController();
  const timer = setTimeout(() => { limit.abort(new TimeLimitReached(calmLimitMs)); }, calmLimitMs);
  try {
    return await adapter.send(attempt, destination, limit.signal);
  } finally {
    clearTimeout(timer);
  }
}

interface AttemptParts {
  readonly id?: string;
  readonly attempt?: number;
  readonly body?: string;
}

/** An attempt as deliver-task.ts makes it, with the provenance headers that the id appears in. */
function attemptOf({ id = 'task', attempt = 0, body = '{"order":1}' }: AttemptParts): DeliveryAttempt {
  return {
    taskId: id,
    run: 1,
    edit: 0,
    phase: 'delivery',
    key: `${id}|${attempt}`,
    body,
    headers: {
      'x-retry-task-id': id,
      'x-retry-source': `source of ${id}`,
      'x-retry-client-id': 'Kunde Nº 7 – Köln',
      'x-retry-attempt': String(attempt),
      'x-retry-max-retries': '3',
      'x-retry-run': '1',
    },
  };
}

const everyControlCharacter = String.fromCharCode(...Array.from({ length: 32 }, (_, code) => code), 127);

const trickyBodies: readonly (readonly [what: string, body: string])[] = [
  ['one character', '0'],
  ['one space', ' '],
  ['spaces and line ends at both ends', ' \r\n\t{"a": 1}\n\r\n '],
  ['JSON as it was written, order, spacing and big numbers kept', '{ "b":1.0,  "a":12345678901234567890, "b":2 }'],
  ['text that is no JSON', '{"half":'],
  ['text that looks like HTTP', 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n0\r\n\r\n'],
  ['every control character, NUL among them', `before${everyControlCharacter}after`],
  ['line and paragraph separators', 'a\u2028b\u2029c\u0085d'],
  ['a byte order mark', '\uFEFF{"a":1}'],
  ['emoji, joined emoji and combining marks', '😀 👩‍👩‍👧‍👦 e\u0301 \u{10FFFF}'],
  ['many scripts', 'Grüße, 你好, שלום, Привет, สวัสดี'],
];

const trickyIds: readonly string[] = [
  'plain-1',
  'a:b/c',
  '123',
  'two words',
  '100%25 %zz',
  'a|b|0',
  '"quoted" \'single\' `back` \\slash',
  'comma, semicolon; equals=',
  'Zürich',
  '注文-42',
  'עברית',
  '🚚📦',
  'e\u0301',
  'a\u2028b',
];

/** Text of exactly this many bytes in which a lost, doubled or moved part shows. */
function variedText(bytes: number): string {
  const parts: string[] = [];
  let left = bytes;
  for (let line = 0; left > 0; line += 1) {
    const part = `line ${line} äß🚚\n`;
    const size = Buffer.byteLength(part);
    parts.push(left >= size ? part : 'x'.repeat(left));
    left -= Math.min(size, left);
  }
  return parts.join('');
}

function expectSameBytes(arrival: Arrival | undefined, body: string): void {
  const expected = Buffer.from(body, 'utf8');
  expect(arrival?.bodyBytes.length, 'bytes that arrived').to.equal(expected.length);
  // Not deep.equal: a diff of two million-byte buffers takes Chai minutes to print.
  expect(arrival?.bodyBytes.equals(expected), 'the same bytes').to.equal(true);
}

function expectSameKeyAndHeaders(arrival: Arrival | undefined, sent: DeliveryAttempt): void {
  expect(arrival?.key).to.equal(sent.key);
  expect(arrival?.headers).to.include(sent.headers);
}

function expectFailure(result: DeliveryResult, codes: readonly DeliveryErrorCode[]): void {
  if (result.kind !== 'failed') throw new Error(`expected a failure, got ${describeResult(result)}`);
  expect(codes, describeResult(result)).to.include(result.code);
  expect(result.detail.length, 'characters of detail').to.be.within(1, 500);
}

function describeResult(result: DeliveryResult): string {
  return result.kind === 'delivered'
    ? `delivered ${JSON.stringify(result.receipt)}`
    : `failed as ${result.code}: ${result.detail}`;
}

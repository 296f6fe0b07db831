import { expect } from 'chai';

import { coalesceWrites } from '../../../../../shared/queue/engine/coalesced-writes.js';
import { isCluster } from '../../../../../shared/redis/redis-connection.js';
import { eventually } from '../../../../support/eventually.js';
import { uniquePrefix } from '../../../../support/namespace.js';
import { connect } from '../../../../support/service-in-process.js';

type Single = ReturnType<typeof open>;

/** A worker's connection. */
function open() {
  const redis = connect('worker');
  if (isCluster(redis)) throw new TypeError('not a cluster');
  coalesceWrites(redis);
  return redis;
}

/** What a stream hands to the operating system: a call of one of these is one system call, as long as it has room. */
interface Written {
  _write: (chunk: Buffer | string, ...rest: unknown[]) => void;
  _writev: (chunks: readonly { readonly chunk: Buffer | string }[], ...rest: unknown[]) => void;
}

/** Commands per write, on this connection and on those that are made after it. Commands of a handshake are left out. */
function watchWrites(redis: Single): number[] {
  const writes: number[] = [];
  const see = (...chunks: readonly (Buffer | string)[]): void => {
    const commands = chunks.map(String).join('').match(/\r\n(?:incr|rpush)\r\n/g)?.length ?? 0;
    if (commands > 0) writes.push(commands);
  };
  const watch = (): void => {
    const stream = redis.stream as unknown as Written;
    const own = { write: stream._write.bind(stream), writev: stream._writev.bind(stream) };
    stream._write = (chunk, ...rest) => {
      see(chunk);
      own.write(chunk, ...rest);
    };
    stream._writev = (chunks, ...rest) => {
      see(...chunks.map(({ chunk }) => chunk));
      own.writev(chunks, ...rest);
    };
  };
  redis.on('connect', watch);
  return writes;
}

const nextTurn = (): Promise<void> => new Promise((resolve) => { setImmediate(resolve); });

describe('commands of a worker', () => {
  let redis: Single;
  let other: Single;
  let writes: number[];
  let key: string;

  beforeEach(async () => {
    [redis, other, key] = [open(), open(), uniquePrefix()];
    writes = watchWrites(redis);
    await Promise.all([redis.ping(), other.ping()]);
  });
  afterEach(async () => {
    await other.del(key);
    redis.disconnect();
    other.disconnect();
  });

  const count = (times: number): Promise<number[]> => Promise.all(Array.from({ length: times }, () => redis.incr(key)));
  const upTo = (last: number): number[] => Array.from({ length: last }, (_, nth) => nth + 1);

  async function cut(): Promise<void> {
    const again = new Promise<void>((resolve) => { redis.once('ready', resolve); });
    await other.client('KILL', 'ID', await redis.client('ID'));
    await again;
  }

  it('that are given in one turn leave in one write, in their order', async () => {
    expect(await count(200)).to.deep.equal(upTo(200));
    expect(writes).to.deep.equal([200]);
  });

  it('that are given in two turns leave in two: none waits longer than its turn', async () => {
    const first = count(10);
    await nextTurn();
    expect(writes).to.deep.equal([10]);
    await Promise.all([first, count(5)]);
    expect(writes).to.deep.equal([10, 5]);
  });

  it('leave so on every connection that is made after a cut, too', async () => {
    for (const round of [1, 2]) {
      await cut();
      expect(await count(50)).to.deep.equal(upTo(50 * round).slice(-50));
    }
    expect(writes).to.deep.equal([50, 50]);
  });

  it('that were given while there was no connection leave together when there is one', async () => {
    const closed = new Promise<void>((resolve) => { redis.once('close', resolve); });
    await other.client('KILL', 'ID', await redis.client('ID'));
    await closed;
    const answers = count(30);
    expect(writes).to.deep.equal([]);
    expect(await answers).to.deep.equal(upTo(30));
    expect(writes).to.deep.equal([30]);
  });

  it('keep their order when the socket cannot take them all at once', async () => {
    const MIB = 1_048_576;
    const pushed: Promise<number>[] = [];
    for (let turn = 0; turn < 4; turn += 1) {
      for (let nth = 0; nth < 8; nth += 1) {
        const name = `${turn}-${nth}`;
        // Buffers and texts go through ioredis on different ways.
        const value = nth % 2 === 0 ? name.padEnd(MIB, '.') : Buffer.from(name);
        pushed.push(redis.rpush(key, value));
      }
      await nextTurn();
    }
    expect(await Promise.all(pushed)).to.deep.equal(upTo(32));
    const names = (await other.lrange(key, 0, -1)).map((value) => value.slice(0, 3));
    expect(names).to.deep.equal(upTo(4).flatMap((turn) => upTo(8).map((nth) => `${turn - 1}-${nth - 1}`)));
  });

  it('still leave when the connection is closed in the turn that gave them', async () => {
    const given = count(20).catch(() => undefined);
    redis.disconnect();
    await eventually(async () => expect(await other.get(key)).to.equal('20'));
    await given;
    expect(writes).to.deep.equal([20]);
  });

  it('are sent on the next connection, once each, when theirs breaks in the turn that gave them', async () => {
    const answers = count(20);
    redis.stream.destroy();
    expect(await answers).to.deep.equal(upTo(20));
    expect(await count(3), 'and those after it leave together').to.deep.equal([21, 22, 23]);
    expect(writes.at(-1)).to.equal(3);
    expect(await other.get(key)).to.equal('23');
  });
});

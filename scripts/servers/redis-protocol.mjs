import { connect } from 'node:net';

/**
 * Asks a Redis on loopback one question, without a client library: this runs before `npm ci`.
 *
 * @param {number} port
 * @param {readonly string[]} args e.g. ['CONFIG', 'GET', 'dir']
 * @param {{timeoutMs?: number}} [options] timeoutMs 2,000 when left out
 * @returns {Promise<unknown>} string, number, null or a list of these
 * @throws when nobody answers in time, or the answer is an error (its text is the message, e.g. "LOADING …")
 */
export function askRedis(port, args, { timeoutMs = 2_000 } = {}) {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port });
    let received = Buffer.alloc(0);
    const timer = setTimeout(() => finish(new Error(`no answer from 127.0.0.1:${port} within ${timeoutMs} ms`)), timeoutMs);
    /** @param {Error | null} error @param {unknown} [reply] */
    const finish = (error, reply) => {
      clearTimeout(timer);
      socket.destroy();
      if (error === null) resolve(reply);
      else reject(error);
    };
    socket.once('error', finish);
    socket.once('close', () => finish(new Error(`127.0.0.1:${port} closed the connection`)));
    socket.once('connect', () => {
      socket.write(`*${args.length}\r\n${args.map((arg) => `$${Buffer.byteLength(arg)}\r\n${arg}\r\n`).join('')}`);
    });
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      try {
        const reply = readReply(received, 0);
        if (reply !== null) finish(reply.value instanceof Error ? reply.value : null, reply.value);
      } catch (error) {
        finish(error instanceof Error ? error : new Error(String(error)));
      }
    });
  });
}

/**
 * @param {Buffer} bytes
 * @param {number} at
 * @returns {{value: unknown, next: number} | null} null while bytes are missing
 */
function readReply(bytes, at) {
  const lineEnd = bytes.indexOf('\r\n', at);
  if (lineEnd === -1) return null;
  const kind = String.fromCharCode(bytes[at] ?? 0);
  const line = bytes.toString('utf8', at + 1, lineEnd);
  let next = lineEnd + 2;
  switch (kind) {
    case '+':
      return { value: line, next };
    case '-':
      return { value: new Error(line), next };
    case ':':
      return { value: Number(line), next };
    case '$': {
      const length = Number(line);
      if (length === -1) return { value: null, next };
      if (bytes.length < next + length + 2) return null;
      return { value: bytes.toString('utf8', next, next + length), next: next + length + 2 };
    }
    case '*': {
      /** @type {unknown[]} */
      const values = [];
      for (let left = Number(line); left > 0; left -= 1) {
        const item = readReply(bytes, next);
        if (item === null) return null;
        values.push(item.value);
        next = item.next;
      }
      return { value: values, next };
    }
    default:
      throw new Error('what answers there is no Redis');
  }
}

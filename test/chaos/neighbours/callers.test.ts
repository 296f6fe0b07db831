import { uniqueId } from '../../support/tasks.js';
import { closeOf, getRequest, postHead, pour, trickle, type Attacker } from './attack.js';
import { noNeighbourSuffers } from './no-neighbour-suffers.js';

const MIB = 1_048_576;
/** The largest body of one task, and of a batch, less a little. */
const TASK_BYTES = 6 * MIB;
const BATCH_BYTES = 31 * MIB;
/** For attackers whose bodies, or whose unread answers, gather in memory. Without limits the API had 2,228 MiB after that time. */
const GATHERS_SECONDS = 2;

/** A text of at most so many bytes that consists of `part` again and again. */
const filled = (part: string, bytes: number): string => part.repeat(Math.floor(bytes / part.length));
const nested = (open: string, middle: string, close: string, bytes: number): string => {
  const depth = Math.floor(bytes / (open.length + close.length));
  return open.repeat(depth) + middle + close.repeat(depth);
};
const task = (fields: Readonly<Record<string, unknown>>): string =>
  JSON.stringify({ id: uniqueId('attack'), source: 's', client_id: 'c', destination_type: 'http', destination: { url: 'http://127.0.0.1:9/' }, on_exhausted: 'park', max_retries: 0, base_delay: 3_600, message_data: 'm', ...fields });
const kafkaTask = (headers: Readonly<Record<string, unknown>>): string => task({ destination_type: 'kafka', destination: { host: '127.0.0.1', port: 9, topic: 't', headers } });
const numbered = (count: number, name: (nth: number) => string, value: unknown): Readonly<Record<string, unknown>> => Object.fromEntries(Array.from({ length: count }, (_, nth) => [name(nth), value]));

/** An attacker that posts one body, again as soon as it is answered. */
function poster(name: string, path: '/tasks' | '/tasks/batch', body: () => string | Buffer, { atOnce = 1, type = 'application/json', ...rest }: { readonly atOnce?: number; readonly type?: string } & Partial<Attacker> = {}): Attacker {
  return {
    name,
    ...rest,
    async start(attack) {
      const bytes = Buffer.from(body());
      attack.again(atOnce, () => attack.post(path, bytes, type));
    },
  };
}

/** Deep, wide and long JSON, and all else that takes longer to read than to send. */
const bodies: readonly Attacker[] = [
  poster('6 MiB of [ in a task', '/tasks', () => nested('[', '', ']', TASK_BYTES)),
  poster('6 MiB of [ that are never closed', '/tasks', () => filled('[', TASK_BYTES), { isLongOnly: true }),
  poster('6 MiB of {"a": in each other', '/tasks', () => nested('{"a":', '1', '}', TASK_BYTES), { isLongOnly: true }),
  poster('6 MiB of [ behind a whole task', '/tasks', () => `${task({}).slice(0, -1)},"x":${nested('[', '', ']', TASK_BYTES - 1_000)}}`, { isLongOnly: true }),
  poster('6 MiB of numbers in a list', '/tasks', () => `[${filled('1,', TASK_BYTES)}1]`),
  poster('6 MiB of empty objects', '/tasks', () => `[${filled('{},', TASK_BYTES)}1]`, { isLongOnly: true }),
  poster('6 MiB of one number', '/tasks', () => filled('1', TASK_BYTES), { isLongOnly: true }),
  poster('400,000 unknown fields', '/tasks', () => `{${Array.from({ length: 400_000 }, (_, nth) => `"k${nth}":0`).join(',')}}`),
  poster('9,000 unknown fields', '/tasks', () => `{${Array.from({ length: 9_000 }, (_, nth) => `"k${nth}":0`).join(',')}}`),
  poster('1,000 bad headers of 6 kB each', '/tasks', () => kafkaTask(numbered(900, (nth) => `\u0001${nth}${'x'.repeat(6_000)}`, 'v'))),
  poster('a message of 6 MiB', '/tasks', () => task({ message_data: filled('x', TASK_BYTES) })),
  poster('a message with 1,000,000 characters that have to be escaped', '/tasks', () => task({ id: 'escaped-message', message_data: filled('\u0001', MIB) })),
  poster('an id of 6 MiB', '/tasks', () => task({ id: filled('\u0085', TASK_BYTES / 2) }), { isLongOnly: true }),
  poster('a url of 6 MiB', '/tasks', () => task({ destination: { url: `http://a/${filled('%41', TASK_BYTES)}` } }), { isLongOnly: true }),
  poster('1,000 urls with an international host of 8,000 letters', '/tasks/batch', () => Array.from({ length: 1_000 }, () => task({ destination: { url: `http://${Array.from({ length: 8_000 }, (_, nth) => String.fromCodePoint(0x4e00 + ((nth * 7_919) % 0x5000))).join('')}/` } })).join('\n'), { type: 'application/x-ndjson' }),
  poster('a kilometre of escapes in a field name', '/tasks', () => `{"${filled('\\u0001', TASK_BYTES)}":1}`, { isLongOnly: true }),

  poster('five tasks of 6 MiB of [ in a batch', '/tasks/batch', () => `[${Array.from({ length: 5 }, () => nested('[', '', ']', TASK_BYTES)).join(',')}]`),
  poster('one line of 6 MiB of [ after the other', '/tasks/batch', () => Array.from({ length: 5 }, () => nested('[', '', ']', TASK_BYTES)).join('\n'), { type: 'application/x-ndjson', isLongOnly: true }),
  poster('10,000 Kafka tasks with 250 bad headers each', '/tasks/batch', () => `[${Array.from({ length: 9_500 }, () => kafkaTask(numbered(250, (nth) => `h${nth}`, 0))).join(',')}]`),
  poster('10,000 tasks without a field', '/tasks/batch', () => `[${filled('{},', 29_997)}{}]`),
  poster('10,000 tasks with 100 unknown fields each', '/tasks/batch', () => Array.from({ length: 10_000 }, () => JSON.stringify(numbered(100, (nth) => `unknown${nth}`, 0))).join('\n'), { type: 'application/x-ndjson' }),
  poster('31 MiB of [ in a batch', '/tasks/batch', () => filled('[', BATCH_BYTES), { isLongOnly: true }),
  poster('31 MiB of spaces', '/tasks/batch', () => filled(' ', BATCH_BYTES)),
  poster('31 MiB of spaces in an array', '/tasks/batch', () => `[1,${filled(' ', BATCH_BYTES)}1]`, { isLongOnly: true }),
  poster('31 MiB of backslashes', '/tasks/batch', () => `["${filled('\\\\', BATCH_BYTES)}"]`),
  poster('31 MiB of commas', '/tasks/batch', () => `[${filled(',', BATCH_BYTES)}]`, { isLongOnly: true }),
  poster('31 MiB of quotes', '/tasks/batch', () => `[${filled('"",', BATCH_BYTES)}""]`, { isLongOnly: true }),
  poster('31 MiB of empty lines', '/tasks/batch', () => filled('\n', BATCH_BYTES), { type: 'application/x-ndjson' }),
  poster('31 MiB of lines with a space', '/tasks/batch', () => filled(' \r\n', BATCH_BYTES), { type: 'application/x-ndjson', isLongOnly: true }),
  poster('31 MiB without the end of a line', '/tasks/batch', () => filled('1', BATCH_BYTES), { type: 'application/x-ndjson', isLongOnly: true }),
  poster('31 MiB of bytes that are no UTF-8', '/tasks/batch', () => Buffer.alloc(BATCH_BYTES, 0xff), { type: 'application/x-ndjson', isLongOnly: true }),
];

/** Many uploads at once, and slow ones. */
const uploads: readonly Attacker[] = [
  poster('20 uploads of 6 MiB at once', '/tasks', () => `"${filled('x', TASK_BYTES)}"`, { atOnce: 20, leastSeconds: GATHERS_SECONDS }),
  poster('20 batches of 31 MiB at once', '/tasks/batch', () => `[${filled(`"${'x'.repeat(10_000)}",`, BATCH_BYTES)}1]`, { atOnce: 20, leastSeconds: GATHERS_SECONDS }),
  {
    name: '200 uploads of a byte a second',
    async start(attack) {
      for (let nth = 0; nth < 200; nth += 1) {
        const socket = attack.connect();
        socket.write(postHead('/tasks', 'application/json', `Content-Length: ${TASK_BYTES}`));
        trickle(socket, 1_000, '[');
      }
    },
  },
  {
    name: '20 uploads of 31 MiB that stop before their last byte',
    leastSeconds: GATHERS_SECONDS,
    async start(attack) {
      const most = Buffer.alloc(BATCH_BYTES - 1, '[');
      for (let nth = 0; nth < 20; nth += 1) {
        const socket = attack.connect();
        socket.write(postHead('/tasks/batch', 'application/json', `Content-Length: ${BATCH_BYTES}`));
        socket.write(most);
      }
    },
  },
  {
    name: 'a body in chunks of one byte',
    async start(attack) {
      const socket = attack.connect();
      socket.resume();
      socket.write(postHead('/tasks/batch', 'application/x-ndjson', 'Transfer-Encoding: chunked'));
      pour(socket, '1\r\nx\r\n'.repeat(10_000));
    },
  },
  {
    name: 'chunk extensions without end',
    isLongOnly: true,
    async start(attack) {
      const socket = attack.connect();
      socket.resume();
      socket.write(`${postHead('/tasks', 'application/json', 'Transfer-Encoding: chunked')}1;`);
      pour(socket, 'x'.repeat(10_000));
    },
  },
  {
    name: 'bodies that go on after they were refused',
    async start(attack) {
      for (const [type, length] of [['text/plain', 'Content-Length: 100000000000'], ['application/json', 'Content-Length: 100000000000\r\nExpect: 100-continue'], ['application/json', 'Transfer-Encoding: chunked\r\nContent-Encoding: gzip']] as const) {
        attack.again(2, async () => {
          const socket = attack.connect();
          socket.resume();
          socket.write(postHead('/tasks', type, length));
          pour(socket, Buffer.alloc(65_536, '1'));
          await closeOf(socket);
        });
      }
    },
  },
];

/** Many requests at once on a connection, and what is no request at all. */
const connections: readonly Attacker[] = [
  ...['/livez', '/stats', '/destinations', '/tasks/unknown'].map((path): Attacker => ({
    name: `1,000 GET ${path} at once on a connection`,
    isLongOnly: path !== '/livez' && path !== '/stats',
    async start(attack) {
      const requests = getRequest(path).repeat(999) + getRequest(path, 'Connection: close\r\n');
      attack.again(1, () => attack.send(requests));
    },
  })),
  {
    name: '100,000 GET /openapi.yaml at once on a connection that reads nothing',
    leastSeconds: GATHERS_SECONDS,
    async start(attack) {
      for (let nth = 0; nth < 2; nth += 1) {
        const socket = attack.connect();
        socket.pause();
        socket.write(getRequest('/openapi.yaml').repeat(100_000));
      }
    },
  },
  {
    name: 'POSTs of small tasks at once on a connection',
    async start(attack) {
      attack.again(2, () => {
        const body = '{"id":';
        const request = `${postHead('/tasks', 'application/json', `Content-Length: ${body.length}`)}${body}`;
        return attack.send(request.repeat(2_000), getRequest('/livez', 'Connection: close\r\n'));
      });
    },
  },
  {
    name: '50 connections that read nothing of large answers',
    leastSeconds: GATHERS_SECONDS,
    async start(attack) {
      const body = kafkaTask(numbered(900, (nth) => `\u0001${nth}${'x'.repeat(6_000)}`, 'v'));
      const request = postHead('/tasks', 'application/json', `Content-Length: ${Buffer.byteLength(body)}`) + body;
      for (let nth = 0; nth < 50; nth += 1) {
        const socket = attack.connect();
        socket.pause();
        socket.write(request);
      }
    },
  },
  {
    name: '50 connections that read nothing of a message of 6 MiB',
    leastSeconds: GATHERS_SECONDS,
    async start(attack) {
      const id = uniqueId('large');
      await attack.post('/tasks', task({ id, message_data: filled('\u0001', MIB) }));
      for (let nth = 0; nth < 50; nth += 1) {
        const socket = attack.connect();
        socket.pause();
        socket.write(getRequest(`/tasks/${id}?include=message_data`).repeat(10));
      }
    },
  },
  {
    name: 'a message of 6 MiB that is asked for again and again',
    async start(attack) {
      const id = uniqueId('large');
      await attack.post('/tasks', task({ id, message_data: filled('\u0001', MIB) }));
      attack.again(2, () => attack.send(getRequest(`/tasks/${id}?include=message_data`, 'Connection: close\r\n')));
    },
  },
  {
    name: '2,000 silent connections',
    async start(attack) {
      for (let nth = 0; nth < 2_000; nth += 1) attack.connect();
    },
  },
  {
    name: '2,000 connections with half a request',
    isLongOnly: true,
    async start(attack) {
      for (let nth = 0; nth < 2_000; nth += 1) attack.connect().write('GET /livez HTTP/1.1\r\nHost: a\r\nX-');
    },
  },
  {
    name: 'connections that come and go',
    async start(attack) {
      attack.every(50, () => {
        for (let nth = 0; nth < 20; nth += 1) {
          const socket = attack.connect();
          socket.once('connect', () => socket.resetAndDestroy());
        }
      });
    },
  },
  {
    name: 'headers without end',
    async start(attack) {
      attack.again(4, async () => {
        const socket = attack.connect();
        socket.resume();
        socket.write('GET /livez HTTP/1.1\r\nHost: a\r\n');
        pour(socket, 'a: b\r\n'.repeat(1_000));
        await closeOf(socket);
      });
    },
  },
  {
    name: 'as many headers as fit',
    async start(attack) {
      attack.again(4, () => attack.send(getRequest('/livez', `${filled('a:\r\n', 15_000)}Connection: close\r\n`).repeat(20)));
    },
  },
  {
    name: 'a query of 4,000 parameters',
    async start(attack) {
      const path = `/destinations?${Array.from({ length: 3_000 }, (_, nth) => `${nth.toString(36)}=`).join('&')}`;
      attack.again(4, () => attack.send(getRequest(path).repeat(20) + getRequest(path, 'Connection: close\r\n')));
    },
  },
  {
    name: 'what is no HTTP',
    isLongOnly: true,
    async start(attack) {
      for (const noise of ['\0'.repeat(64), 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', '\x16\x03\x01\x02\x00\x01', '\r\n'.repeat(1_000), 'GET\r\n\r\n']) {
        attack.again(2, () => attack.send(noise));
      }
    },
  },
];

/** The board and the settings of operators. */
const operations: readonly Attacker[] = [
  {
    name: 'pages of the board of any size',
    async start(attack) {
      const large = Array.from({ length: 100 }, () => task({ message_data: filled('x', 200_000) })).join('\n');
      await attack.post('/tasks/batch', large, 'application/x-ndjson');
      attack.again(4, () => attack.send(getRequest('/admin/queues/api/queues?activeQueue=deliver-0&status=delayed&page=1&jobsPerPage=1000000', 'Connection: close\r\n')));
    },
  },
  {
    name: 'a page of the board with 20 messages of 6 MiB',
    async start(attack) {
      for (let nth = 0; nth < 20; nth += 1) await attack.post('/tasks', task({ message_data: filled('\u0001', MIB), base_delay: 7_200 }));
      attack.again(2, () => attack.send(getRequest('/admin/queues/api/queues?activeQueue=deliver-0&status=delayed&page=1&jobsPerPage=20', 'Connection: close\r\n')));
    },
  },
  {
    name: 'limits for one made-up destination after the other',
    async start(attack) {
      let nth = 0;
      attack.again(8, () => {
        nth += 1;
        return attack.send(`PUT /destinations/${'k'.repeat(900)}${nth} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 10\r\nConnection: close\r\n\r\n{"rate":1}`);
      });
    },
  },
];

noNeighbourSuffers('19a', 'bodies that callers send', bodies);
noNeighbourSuffers('19b', 'uploads, connections and pages', [...uploads, ...connections, ...operations]);

import { expect } from 'chai';

import { eventually } from '../../../support/eventually.js';
import { RawConnection, sendBytes } from '../../../support/raw-connection.js';
import { CollectedLog, InProcessService } from '../../../support/service-in-process.js';
import { call, httpTask, type WireTask } from '../../../support/tasks.js';

const JSON_TYPE = 'application/json';
const NDJSON = 'application/x-ndjson';

interface Refusal {
  readonly status: number;
  readonly text: string;
  readonly code: string | undefined;
}

describe('a limit of the API', function () {
  this.timeout(60_000);

  let service: InProcessService;
  const log = new CollectedLog();

  before(async () => {
    service = await InProcessService.ready({
      log,
      maxMessageBytes: 1_000,
      settings: { MAX_BATCH_TASKS: '3', MAX_BATCH_BYTES: '65536', HTTP_MAX_HEADER_BYTES: '4096', HTTP_MAX_HEADER_LINES: '20', HTTP_HEADERS_TIMEOUT: '1s', HTTP_REQUEST_TIMEOUT: '1500ms' },
    });
  });
  after(() => service.close());

  const waiting = (changes: Partial<WireTask> = {}): WireTask => httpTask('http://127.0.0.1:9/hook', { initial_delay: 3_600, ...changes });
  const post = async (path: string, body: string, type = JSON_TYPE): Promise<Refusal> => {
    const response = await fetch(`${service.baseUrl}${path}`, { method: 'POST', headers: { 'content-type': type }, body });
    const text = await response.text();
    return { status: response.status, text, code: (JSON.parse(text) as { code?: string }).code };
  };
  const bytes = async (request: string): Promise<Refusal> => {
    const { statuses, text } = await sendBytes(service.baseUrl, request);
    return { status: statuses[0] ?? 0, text, code: /"code":"(\w+)"/.exec(text)?.[1] };
  };
  const print = (tasks: readonly WireTask[], type: string): string => (type === JSON_TYPE ? JSON.stringify(tasks) : tasks.map((task) => JSON.stringify(task)).join('\n'));
  /** A text of so many bytes that is one batch: spaces, and then a task. */
  const batchOf = (size: number): string => {
    const text = JSON.stringify([waiting()]);
    return `${' '.repeat(size - text.length)}${text}`;
  };
  /** The path, names and values have so many bytes; what stands between them does not count. */
  const headers = (size: number): string => `GET /livez HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(size - '/livezHostlocalhostX'.length)}\r\n\r\n`;

  const table: readonly (readonly [setting: string, what: string, atLimit: () => Promise<Refusal>, beyond: () => Promise<Refusal>, status: number, code: string])[] = [
    ['MAX_MESSAGE_BYTES', 'a message', () => post('/tasks', JSON.stringify(waiting({ message_data: 'x'.repeat(1_000) }))), () => post('/tasks', JSON.stringify(waiting({ message_data: 'x'.repeat(1_001) }))), 413, 'too_large'],
    ['MAX_MESSAGE_BYTES', 'the body of a task', () => post('/tasks', JSON.stringify(waiting()).padEnd(71_536)), () => post('/tasks', JSON.stringify(waiting()).padEnd(71_537)), 413, 'too_large'],
    ['MAX_BATCH_TASKS', 'an array', () => post('/tasks/batch', print([waiting(), waiting(), waiting()], JSON_TYPE)), () => post('/tasks/batch', print([waiting(), waiting(), waiting(), waiting()], JSON_TYPE)), 413, 'too_large'],
    ['MAX_BATCH_BYTES', 'the body of a batch', () => post('/tasks/batch', batchOf(65_536)), () => post('/tasks/batch', batchOf(65_537)), 413, 'too_large'],
    ['HTTP_MAX_HEADER_BYTES', 'headers', () => bytes(headers(4_095)), () => bytes(headers(4_096)), 431, 'headers_too_large'],
    ['HTTP_MAX_HEADER_LINES', 'header lines', () => bytes(`GET /livez HTTP/1.1\r\nHost: localhost\r\n${'a:\r\n'.repeat(19)}\r\n`), () => bytes(`GET /livez HTTP/1.1\r\nHost: localhost\r\n${'a:\r\n'.repeat(20)}\r\n`), 431, 'headers_too_large'],
  ];
  for (const [setting, what, atLimit, beyond, status, code] of table) {
    it(`${setting} takes ${what} of exactly that size, refuses one more, and is named in the log alone`, async () => {
      expect((await atLimit()).status).to.be.oneOf([200, 201, 207]);
      const refused = await beyond();
      expect([refused.status, refused.code]).to.deep.equal([status, code]);
      expect(refused.text).to.not.include(setting);
      await eventually(async () => {
        // Others may have used up the lines of a second.
        await beyond();
        expect(log.text).to.match(new RegExp(`"code":"${code}"[^\\n]*"limit":"${setting}"|"limit":"${setting}"[^\\n]*"code":"${code}"`));
      });
    });
  }

  it('MAX_BATCH_TASKS stores the first tasks of NDJSON, and says where it has stopped', async () => {
    const tasks = Array.from({ length: 4 }, () => waiting());
    const { status, text } = await post('/tasks/batch', print(tasks, NDJSON), NDJSON);
    expect(status).to.equal(207);
    expect(JSON.parse(text)).to.deep.include({ counts: { total: 3, created: 3, already_scheduled: 0, refused: 0, failed: 0 } });
    expect((JSON.parse(text) as { truncated: unknown }).truncated).to.deep.include({ index: 3, status: 413 });
    expect((await call(service.baseUrl, `/tasks/${tasks[3]?.id ?? ''}`)).status).to.equal(404);
  });

  for (const [name, sent] of [
    ['HTTP_HEADERS_TIMEOUT', 'GET /livez HTTP/1.1\r\nHost: localhost\r\n'],
    ['HTTP_REQUEST_TIMEOUT', 'POST /tasks HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{'],
  ] as const) {
    it(`${name} ends a request that does not come whole`, async () => {
      const connection = await RawConnection.open(service.baseUrl);
      connection.write(sent);
      await connection.closed();
      expect(connection.statuses).to.deep.equal([408]);
      expect(connection.text).to.include('request_timed_out').and.to.not.include(name);
      await eventually(() => { expect(log.text).to.match(/"limit":"HTTP_HEADERS_TIMEOUT, HTTP_REQUEST_TIMEOUT"/); });
    });
  }
});

import { expect } from 'chai';

import { filterParameters } from '../../../../server/search/search-query.js';
import { routeTable, type ApiParts } from '../../../../server/route-table.js';
import type { Route } from '../../../../server/http/route.js';
import { profile } from '../../../chaos/profile.js';
import { submitAll } from '../../../support/bulk-actions.js';
import { contractBodyOf } from '../../../support/contract-bodies.js';
import { hostileBodies, hostileParts, hostileTimes, hostileValues } from '../../../support/hostile-texts.js';
import type { RawRequest } from '../../../support/raw-request.js';
import { PrivateRedis } from '../../../support/redis.js';
import { jsonRequest as json, sendAllHostile, sendHostile, type JudgedAnswer } from '../../../support/send-hostile.js';
import { InProcessService } from '../../../support/service-in-process.js';
import { httpTask } from '../../../support/tasks.js';

type Row = Route<ApiParts>;
type Sent = Readonly<Record<string, unknown>>;

/** The short form tries one text of so many at each place, and the next one at the next place. The long form (CHAOS_PROFILE) tries all. */
const PLACES_FOR_ALL = profile.name === 'long' ? 1 : 9;
/** Enough for whole steps of a search: it looks at 500 or 1,000 tasks at once. */
const TASKS = 1_200;
/** The rule is 20 ms of a processor that does nothing else. Beside other programs the same work takes up to twice as long. */
const LONGEST_SCRIPT_US = 60_000;

function someOf<T>(list: readonly T[], place: number): readonly T[] {
  return list.filter((_, nth) => (nth + place) % PLACES_FOR_ALL === 0);
}

const called = ({ method, path }: Row): string => `${method} ${path}`;

/** Names of parameters: `data.*` stands for any path, and a page of the board takes any name at all. */
function parametersOf({ query }: Row): readonly string[] {
  const names = query === 'any' ? ['v', 'page', 'status', 'job'] : query.map((name) => name.replace('*', 'order.id'));
  return [...names, 'nosuch', 'data."', '__proto__'];
}

/** Names of fields, down to the second level; free members are given names that mean something. */
function fieldsOf({ operationId }: Row): readonly (readonly string[])[] {
  const fields = contractBodyOf(operationId ?? '')?.fields ?? [];
  const ofDestinations = (contractBodyOf('submitTask')?.fields ?? []).filter(([name, below]) => name === 'destination' && below !== undefined).map(([, below = '']) => below);
  const free = fields.flatMap((field): (readonly string[])[] => {
    const name = field.at(-1) ?? '';
    if (name === 'filter') return filterParameters.map((each) => [...field, each.replace('*', 'order.id')]);
    return name === 'destination' || name === 'dead_destination' ? ofDestinations.map((below) => [...field, below]) : [];
  });
  return [...new Map([...fields, ...free, ['nosuch'], ['__proto__']].map((field) => [field.join('.'), field])).values()];
}

/** The example that has the field or a neighbour of it, so that nothing else is wrong with the body. */
function bodyWith({ operationId }: Row, field: readonly string[], value: string): string {
  const { examples = [{}] } = contractBodyOf(operationId ?? '') ?? {};
  const shared = (example: object): number => field.findIndex((_, nth) => memberAt(example, field.slice(0, nth + 1)) === undefined);
  const [best = {}] = examples.filter((example) => shared(example) === -1).concat([...examples].sort((a, b) => shared(b) - shared(a)));
  const isList = operationId === 'submitTasks';
  const text = JSON.stringify(withMember(best as Sent, field, '\u0001'));
  return (isList ? `[${text}]` : text).replace('"\\u0001"', () => value);
}

function memberAt(of: unknown, [name, ...below]: readonly string[]): unknown {
  if (name === undefined) return of;
  // Whatever it is, a member of it is looked at by its own name alone.
  return typeof of === 'object' && of !== null && Object.hasOwn(of, name) ? memberAt((of as Sent)[name], below) : undefined;
}

function withMember(of: Sent, [name = '', ...below]: readonly string[], value: unknown): Sent {
  const member = memberAt(of, [name]);
  const inner = typeof member === 'object' && member !== null && !Array.isArray(member) ? (member as Sent) : {};
  return Object.fromEntries([...Object.entries(of).filter(([each]) => each !== name), [name, below.length === 0 ? value : withMember(inner, below, value)]]);
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

describe('hostile input', function () {
  this.timeout(180_000);

  let redis: PrivateRedis;
  let service: InProcessService;
  const ids = Array.from({ length: TASKS }, (_, nth) => `hostile-${nth}`);

  before(async () => {
    redis = await PrivateRedis.start(['--slowlog-log-slower-than', '1000', '--slowlog-max-len', '1000']);
    service = await InProcessService.ready({ redis: redis.address, shards: 2 });
    // Their messages are so long that a search reads 4 MiB before it has seen 1,000 of them.
    const message = JSON.stringify({ order: { id: 1_001, text: 'a'.repeat(4_500) } });
    await submitAll(service.baseUrl, ids.map((id, nth) => httpTask(`http://127.0.0.1:9/${nth % 10}`, { id, client_id: `client-${nth % 7}`, initial_delay: 3_600 + nth, message_data: message })));
    for (const nth of [1, 2, 3]) {
      expect((await send(json('POST', '/bulk-actions', `{"id":"action-${nth}","action":"redrive","ids":["none"]}`))).status).to.equal(201);
      expect((await send(json('PUT', `/destinations/key-${nth}`, '{"rate":5}'))).status).to.equal(200);
    }
  });
  after(async () => {
    await service.close();
    await redis.shutDown();
  });

  /** The path of a row, with what is known there, or with a part that takes the place of one parameter. */
  function pathOf({ path }: Row, parts: Readonly<Record<string, string>> = {}): string {
    const known: Readonly<Record<string, string>> = { '*': 'api/queues', ':id': path.startsWith('/bulk-actions') ? 'action-1' : (ids[0] ?? ''), ':key': 'key-1', ':job': `t-${ids[0]}`, ':queue': `${service.prefix}-0`, ':file': 'swagger-ui.css' };
    return path.split('/').map((part) => parts[part] ?? known[part] ?? part).join('/');
  }

  const send = (wanted: RawRequest): Promise<JudgedAnswer> => sendHostile(service.baseUrl, wanted);
  const sendAll = async (all: readonly RawRequest[]): Promise<readonly number[]> => (await sendAllHostile(service.baseUrl, all)).map(({ status }) => status);

  /**
   * The CPU time of the longest script, microseconds. Redis measures scripts by the wall, and other programs have their turns meanwhile. So
   * the time of the processor, which Redis knows in sum, is divided as the scripts share the time by the wall.
   */
  async function longestScriptOf(work: () => Promise<unknown>): Promise<number> {
    await service.redis.call('SLOWLOG', 'RESET');
    const startedAt = await redisCpuUs();
    await work();
    const cpu = (await redisCpuUs()) - startedAt;
    // Redis' own answer: number, time, microseconds, ...
    const slow = (await service.redis.call('SLOWLOG', 'GET', '1000')) as [unknown, unknown, number][];
    const walls = slow.map(([, , microseconds]) => microseconds);
    return walls.length === 0 ? 0 : (cpu * Math.max(...walls)) / walls.reduce((sum, each) => sum + each, 0);
  }

  async function redisCpuUs(): Promise<number> {
    const info = await service.redis.info('cpu');
    const seconds = ['used_cpu_sys', 'used_cpu_user'].map((name) => Number(new RegExp(`^${name}:([\\d.]+)`, 'm').exec(info)?.[1]));
    return seconds.reduce((sum, each) => sum + each, 0) * 1_000_000;
  }

  describe('in a parameter', () => {
    for (const row of routeTable) {
      it(`of ${called(row)} is refused or read, and never our fault`, async () => {
        const path = pathOf(row);
        const requests = parametersOf(row).flatMap((name, place) => {
          const isTime = name.endsWith('_at') || name === 'since';
          const values = isTime ? [...hostileTimes.map((text) => encodeURIComponent(text)), ...someOf(hostileParts, place)] : name === 'q' && row.path === '/tasks' ? hostileParts : someOf(hostileParts, place);
          // Next to an id all of it is read, and no search takes time.
          const beside = row.query !== 'any' && row.query.includes('id') && !['q', 'id', 'cursor'].includes(name) ? `id=${ids[0]}&` : '';
          return values.map((text): RawRequest => {
            const target = `${path}?${beside}${encodeURIComponent(name)}=${text}`;
            return row.body === 'json' || row.body === 'merge_patch' ? json(row.method, target, bodyWith(row, ['reason'], '"a"')) : { method: row.method, path: target };
          });
        });
        const statuses = await sendAll(requests);
        if (row.query !== 'any') expect(statuses).to.include(400);
      });
    }

    it('that stands there twice is refused, also under another spelling of its name', async () => {
      for (const row of routeTable) {
        if (row.query === 'any') continue;
        for (const name of row.query.map((each) => each.replace('*', 'order.id'))) {
          const other = `%${name.charCodeAt(0).toString(16)}${encodeURIComponent(name.slice(1))}`;
          const { status, body } = await send({ method: row.method, path: `${pathOf(row)}?${encodeURIComponent(name)}=1&${other}=1` });
          expect([status, body['code']], `${called(row)} ${name}`).to.deep.equal([400, 'invalid_request']);
        }
      }
    });

    it('of a time is refused as one, or is one', async () => {
      for (const name of ['created_at', 'next_attempt_at']) {
        for (const text of hostileTimes) {
          const { status, body } = await send({ path: `/counts?id=${ids[0]}&${name}=${encodeURIComponent(text)}` });
          if (status === 400) expect([body['code'], (body['details'] as readonly Sent[])[0]?.['field']], text).to.deep.equal(['invalid_query', name]);
        }
      }
    });
  });

  it('in a part of a path is refused, unknown or a name, and never our fault', async () => {
    const rows = routeTable.filter(({ path }) => /[:*]/.test(path));
    expect(rows.length).to.be.above(15);
    const requests = rows.flatMap((row) => row.path.split('/').filter((part) => /^[:*]/.test(part)).flatMap((part, place) => someOf([...hostileParts, ...hostileParts.map((text) => `~${text}`)], place).map((text): RawRequest => {
      const path = pathOf(row, { [part]: text });
      return row.body === 'json' || row.body === 'merge_patch' ? json(row.method, path, bodyWith(row, ['nosuch'], '1')) : { method: row.method, path };
    })));
    await sendAll(requests);
  });

  it('in a header is refused or a name, and never our fault', async () => {
    const changes = routeTable.filter(({ method }) => method !== 'GET');
    await sendAll(changes.flatMap((row, place) => ['x-operator', 'idempotency-key', 'x-request-id'].flatMap((name, nth) => someOf(hostileParts, 3 * place + nth).map((text): RawRequest => {
      const { headers, ...wanted } = json(row.method, pathOf(row), row.body === 'none' ? '' : bodyWith(row, ['nosuch'], '1'));
      return { ...wanted, headers: { ...headers, [name]: text } };
    }))));
  });

  for (const row of routeTable.filter(({ body }) => body !== 'none')) {
    it(`as the body of ${called(row)} is refused, and never our fault`, async () => {
      const path = pathOf(row);
      const refused = hostileBodies.filter((body) => !isJson(body) && body !== '');
      for (const status of await sendAll(refused.map((body) => json(row.method, path, body)))) {
        // A list is answered line by line.
        expect(status).to.be.oneOf(row.operationId === 'submitTasks' ? [207, 400, 413] : [400, 413]);
      }
      await sendAll(hostileBodies.filter(isJson).map((body) => json(row.method, path, body)));
      for (const type of ['', 'text/plain', 'application/json; charset=utf-16', 'application/json; charset=', 'multipart/form-data', 'application/x-www-form-urlencoded', '*/*', 'x'.repeat(5_000)]) {
        const { status, body } = await send({ method: row.method, path, body: '{}', headers: type === '' ? {} : { 'content-type': type } });
        expect([status, body['code']], type).to.deep.equal([415, 'unsupported_media_type']);
      }
    });

    it(`in a field of the body of ${called(row)} is refused or read, and never our fault`, async () => {
      const path = pathOf(row);
      const fields = fieldsOf(row);
      expect(fields.length).to.be.above(2);
      const isList = row.operationId === 'submitTasks';
      const requests = fields.flatMap((field, place) => [...someOf(hostileValues, place), ...(/until|_at$|since/.test(field.at(-1) ?? '') ? hostileTimes.map((time) => JSON.stringify(time)) : [])].map((value) => ({ field, value, wanted: json(row.method, path, bodyWith(row, field, value)) })));
      const statuses = await sendAll(requests.map(({ wanted }) => wanted));
      for (const [nth, { value, wanted }] of requests.entries()) if (!isJson(value) && !isList) expect(statuses[nth], wanted.body?.toString().slice(0, 300)).to.equal(400);
      // No field takes a condition of a database, a list of lists, or what other languages call a number.
      for (const field of fields) {
        // Older clients send it, and it means nothing.
        if (field.join('.') === 'attempt') continue;
        for (const value of ['{"$gt":1}', '[[1]]', '-1e400']) {
          const { status, body } = await send(json(row.method, path, bodyWith(row, field, value)));
          const [first] = isList && status === 207 ? (body['results'] as readonly Sent[]) : [];
          expect(first?.['status'] ?? status, `${called(row)} ${field.join('.')} ${value} ${JSON.stringify(body)}`).to.equal(400);
        }
      }
    });
  }

  it('of 10,000 ids is looked up, and of 10,001 refused', async () => {
    const many = Array.from({ length: 10_000 }, (_, nth) => ids[nth] ?? `unknown-${nth}`);
    const body = (all: readonly string[]): string => JSON.stringify({ action: 'cancel', ids: all, dry_run: true });
    const counted = await send(json('POST', '/bulk-actions', body(many)));
    expect([counted.status, counted.body['matched']]).to.deep.equal([200, 10_000]);
    expect((await send(json('POST', '/bulk-actions', body([...many, 'one-more'])))).status).to.equal(400);
    const inQuery = (count: number): RawRequest => ({ path: `/tasks?id=${many.slice(0, count).join(',')}` });
    expect((await send(inQuery(50))).status).to.equal(200);
    expect((await send(inQuery(51))).status).to.equal(400);
  });

  it('that matches nothing is answered with nothing, not with everything', async () => {
    for (const q of ['client_id:none', 'client_id:none*', 'id:hostile* -id:hostile-*', 'created_at:>+1h', 'attempts:>5', 'http_status:5xx', 'data.order.id:1002', 'data.none:1', 'state:delivered id:hostile*', 'bulk_action_id:none', 'destination_key:"https://none"']) {
      const { status, body } = await send({ path: `/counts?q=${encodeURIComponent(q)}` });
      expect([status, body['count'], body['is_exact']], q).to.deep.equal([200, 0, true]);
      expect((await send({ path: `/tasks?q=${encodeURIComponent(q)}` })).body, q).to.deep.include({ tasks: [], next_cursor: null });
    }
  });

  it('holds Redis for long in no script, and leaves the memory of this process as it was', async () => {
    const queries = ['*a*a*a*a*b', 'source:"aaaa"*', 'data.order.text:a*', 'data.order.text:"aaaaaaaaaaaaaaaaaaaaaab"', `data.${'a.'.repeat(500)}b:1`, '-id:none*', `id:${Array.from({ length: 50 }, (_, nth) => `none${nth}*`).join(',')}`, 'created_at:>-1h -attempts:>0 -http_status:5xx'];
    // Each of these texts nearly stands in these messages, and at each of their characters.
    const nearly = (length: number): readonly string[] => Array.from({ length: 50 }, (_, nth) => `${'a'.repeat(length)}b${nth}`);
    const text = 'a'.repeat(250_000);
    await submitAll(service.baseUrl, Array.from({ length: 4 }, (_, nth) => httpTask('http://127.0.0.1:9/', { id: `hostile-long-${nth}`, source: 'a'.repeat(200), initial_delay: 3_600, message_data: JSON.stringify({ text }) })));
    const filters = [
      { 'data.text': nearly(30) },
      { 'data.text': nearly(300) },
      Object.fromEntries(Array.from({ length: 20 }, (_, nth) => [`data.a${nth}`, [text.slice(0, 600)]])),
      { q: ['source', 'client_id', 'flow_key'].map((name) => `${name}:${nearly(10).join(',')}`).join(' '), source: nearly(100), destination_key: nearly(100) },
    ];
    const requests: readonly RawRequest[] = [
      ...queries.flatMap((q) => ['/tasks', '/counts', '/counts?by=destination_key'].map((path) => ({ path: `${path}${path.includes('?') ? '&' : '?'}q=${encodeURIComponent(q)}` }))),
      ...filters.map((filter) => json('POST', '/bulk-actions', JSON.stringify({ action: 'cancel', filter, dry_run: true }))),
      json('POST', '/bulk-actions', JSON.stringify({ action: 'cancel', ids: Array.from({ length: 10_000 }, (_, nth) => ids[nth] ?? `unknown-${nth}`), dry_run: true })),
    ];
    const before = process.memoryUsage().rss;
    for (const wanted of requests) {
      let longest = Infinity;
      for (let turn = 0; turn < 10 && longest >= LONGEST_SCRIPT_US; turn += 1) longest = Math.min(longest, await longestScriptOf(() => send(wanted)));
      expect(longest, `${wanted.path} ${wanted.body?.toString() ?? ''}`.slice(0, 100)).to.be.below(LONGEST_SCRIPT_US);
    }
    expect(process.memoryUsage().rss - before).to.be.below(256 * 1_048_576);
  });
});

import { expect } from 'chai';

import { anonymousCaller } from '../../../../shared/domain/access/caller.js';
import { conditionsOf } from '../../../../server/bulk-actions/dry-run.js';
import { printCursorText, readCursorText } from '../../../../server/http/cursor-text.js';
import { routeTable } from '../../../../server/route-table.js';
import { printCursor } from '../../../../server/search/search-cursor.js';
import { parseFilter } from '../../../../server/search/search-query.js';
import { submitAll } from '../../../support/bulk-actions.js';
import type { RawRequest } from '../../../support/raw-request.js';
import { jsonRequest, sendAllHostile, sendHostile } from '../../../support/send-hostile.js';
import { InProcessService } from '../../../support/service-in-process.js';
import { httpTask } from '../../../support/tasks.js';

/** A list, and a cursor that it has given. */
interface List {
  readonly name: string;
  readonly cursor: string;
  /** How it goes on from a text that is called a cursor. */
  readonly goOn: (cursor: string) => RawRequest;
}

/** Other filters and orders of the same routes. Each has to have more than one page. */
const alsoAsked: Readonly<Record<string, readonly string[]>> = {
  '/tasks': ['state=scheduled', 'state=scheduled&order=oldest', 'client_id=client-1', 'id=cursor-0,cursor-7'],
  '/audit': ['action=limits', 'since=1h'],
  '/destinations': ['group=https://group.example'],
};

/** Counts go on only where much is to be counted, so theirs are made here. */
const startedAt = Date.now();
const madeCursors: Readonly<Record<string, string>> = {
  '/counts?': printCursor({ startedAt, at: { shard: 1 } }, { call: 'count count', filter: [] }),
  '/counts?by=state': printCursor({ startedAt, at: { shard: 0, place: 'delayed', since: startedAt } }, { call: 'count state', filter: [] }),
};
const dryRunFilter = { client_id: 'client-1' };

describe('a hostile cursor', function () {
  this.timeout(120_000);

  let service: InProcessService;
  const lists: List[] = [];
  const known = (name: string, cursor: unknown, goOn: List['goOn']): void => {
    expect(cursor, `a cursor of ${name}`).to.be.a('string');
    lists.push({ name, cursor: String(cursor), goOn });
  };

  before(async () => {
    service = await InProcessService.ready({ shards: 2 });
    await submitAll(service.baseUrl, Array.from({ length: 60 }, (_, nth) => httpTask('http://127.0.0.1:9/', { id: `cursor-${nth}`, client_id: `client-${nth % 7}`, initial_delay: 3_600 + nth })));
    for (const nth of [1, 2, 3]) {
      await sendHostile(service.baseUrl, jsonRequest('POST', '/bulk-actions', `{"id":"action-${nth}","action":"redrive","ids":["none"]}`));
      await sendHostile(service.baseUrl, jsonRequest('PUT', `/destinations/${encodeURIComponent(`https://group.example/${nth}`)}`, '{"rate":5}'));
    }
    for (const name of ['one', 'two']) await sendHostile(service.baseUrl, jsonRequest('POST', '/keys', JSON.stringify({ name, role: 'read' })));
    const paged = routeTable.filter(({ query }) => query !== 'any' && query.includes('cursor'));
    expect(paged.map(({ method }) => method)).to.include('GET');
    for (const { path, query } of paged) {
      for (const asked of ['', ...(path === '/counts' ? ['by=state'] : []), ...(alsoAsked[path] ?? [])]) {
        const name = `${path}?${asked}`;
        const target = `${name}${query !== 'any' && query.includes('limit') ? '&limit=1' : ''}`;
        const cursor = madeCursors[name] ?? (await sendHostile(service.baseUrl, { path: target })).body['next_cursor'];
        known(name, cursor, (text) => ({ path: `${target}&cursor=${encodeURIComponent(text)}` }));
      }
    }
    const dryRunCursor = printCursor({ startedAt, at: { shard: 1 } }, { call: 'dry run redrive', filter: conditionsOf('redrive', parseFilter(new Map(Object.entries(dryRunFilter)), anonymousCaller)) });
    known('a dry run', dryRunCursor, (cursor) => jsonRequest('POST', '/bulk-actions', JSON.stringify({ action: 'redrive', filter: dryRunFilter, dry_run: true, cursor })));
    expect(lists.length).to.be.above(10);
  });
  after(() => service.close());

  /** What came of going on from texts that are not as the service has printed them. */
  async function refusalsOf(cases: readonly (readonly [list: List, text: string])[]): Promise<readonly (readonly [what: string, status: number, code: unknown])[]> {
    const answers = await sendAllHostile(service.baseUrl, cases.map(([list, text]) => list.goOn(text)));
    return answers.map(({ status, body }, nth) => [`${cases[nth]?.[0].name} ${cases[nth]?.[1].slice(0, 200)}`, status, body['code']]);
  }

  async function expectRefused(cases: readonly (readonly [list: List, text: string])[]): Promise<void> {
    for (const [what, status, code] of await refusalsOf(cases)) {
      // An empty one is refused as an empty parameter by some, and a long one is more than a line of headers takes.
      expect([status, code], what).to.deep.be.oneOf([[400, 'invalid_cursor'], [400, 'invalid_request'], [431, 'headers_too_large']]);
    }
  }

  it('is none of those that the service has given', async () => {
    for (const { name, cursor, goOn } of lists) expect((await sendHostile(service.baseUrl, goOn(cursor))).status, name).to.equal(200);
  });

  it('that was cut, or changed in one letter, is refused', async () => {
    await expectRefused(lists.flatMap((list) => {
      const { cursor } = list;
      const places = Array.from(cursor, (_, nth) => nth).filter((nth) => nth % 3 === 0);
      const flipped = places.map((nth) => cursor.slice(0, nth) + String.fromCharCode(cursor.charCodeAt(nth) ^ 1) + cursor.slice(nth + 1));
      const texts = [...flipped, ...places.map((nth) => cursor.slice(0, nth)), cursor.slice(1), cursor + cursor, `${cursor}=`, `${cursor}AA`, `${cursor}\n`, ` ${cursor}`, cursor.toLowerCase(), `x${cursor}`, 'A'.repeat(8_000), 'A'.repeat(15_000), 'null', 'undefined', '0'];
      return texts.map((text) => [list, text] as const);
    }));
  });

  it('of another route, filter or order is refused', async () => {
    await expectRefused(lists.flatMap((list) => lists.filter((other) => other !== list).map(({ cursor }) => [list, cursor] as const)));
  });

  it('of the form without a checksum, which was printed once, is refused', async () => {
    await expectRefused(lists.map((list) => [list, Buffer.from(Buffer.from(list.cursor, 'base64url').subarray(16)).toString('base64url')] as const));
  });

  it('that a stranger has made up is refused, or goes on somewhere, and never our fault', async () => {
    const numbers = [0, -1, 0.5, 1e15, 1e16, 1e300, -1e300] as const;
    const texts = ['', '0', 'x', '-1', '1e308', '1e999', 'inf', '-inf', 'nan', '+1', '(1', '[1', '1 ', '9'.repeat(4_000), '0x10', '\u0000', '\ud800', '\u{1f69a}', '0:1', 't-', 'au_1', '__proto__', 'ids', 'wait', 'meta', 'completed'] as const;
    const others = [null, [], {}, { shard: 0 }, { place: 'delayed' }] as const;
    const cases: (readonly [List, string])[] = [];
    const routeOf = ({ name }: List): string => name.split('?')[0] ?? '';
    for (const list of lists.filter((each, nth) => lists.findIndex((other) => routeOf(other) === routeOf(each)) === nth)) {
      const values = [1, 2, 3, 4, 5, 6, 7, 8].map((count) => readCursorText(list.cursor, count)).find((each) => each !== undefined) ?? [];
      expect(values, list.name).to.have.property('length').that.is.above(0);
      // They were printed by the service, and only such values are.
      const print = (changed: readonly unknown[]): number => cases.push([list, printCursorText(changed as Parameters<typeof printCursorText>[0])]);
      print([]);
      print([...values, 0]);
      print(values.slice(1));
      for (const [nth, value] of values.entries()) {
        for (const other of [...numbers, ...texts, ...others]) print(values.with(nth, other));
        if (typeof value !== 'object' || value === null) continue;
        const at = { shard: 0, place: 'delayed', since: startedAt, position: { score: '1', member: 'x' }, ...value };
        for (const name of Object.keys(at)) {
          const { [name as 'shard']: _left, ...without } = at;
          print(values.with(nth, without));
          for (const other of [...numbers, ...texts, ...others]) print(values.with(nth, { ...at, [name]: other }));
        }
        for (const text of [...texts, ...numbers, ...others]) {
          print(values.with(nth, { ...at, position: { score: text, member: 'x' } }));
          print(values.with(nth, { ...at, position: { score: '1', member: text } }));
        }
      }
    }
    for (const [what, status, code] of await refusalsOf(cases)) {
      expect(code, what).to.be.oneOf(status === 200 ? [undefined] : ['invalid_cursor', 'invalid_request', 'headers_too_large']);
    }
  });
});

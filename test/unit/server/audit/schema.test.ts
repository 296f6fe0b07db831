import { expect } from 'chai';

import { matcherOf, parseAuditQuery, printCursor } from '../../../../server/audit/schema.js';
import { printCursorText } from '../../../../server/http/cursor-text.js';
import { RequestError } from '../../../../shared/domain/errors.js';
import type { AuditEntry } from '../../../../shared/queue/audit/audit-entry.js';

const NOW = Date.parse('2026-11-28T12:00:00Z');
const parse = (parameters: Readonly<Record<string, string>>) => parseAuditQuery(new Map(Object.entries(parameters)), NOW);

function entry(changes: Partial<AuditEntry>): AuditEntry {
  return { id: 'au_1', at: NOW, action: 'task.cancel', actor: { type: 'anonymous', id: null, name: null, operator: 'Anna' }, target: { type: 'task', id: 'a' }, reason: undefined, requestId: undefined, end: undefined, ...changes };
}

describe('what is asked of the audit', () => {
  it('takes a time, or a length back from now', () => {
    for (const [since, at] of [['2026-11-28T11:00:00Z', '2026-11-28T11:00:00Z'], ['90s', '2026-11-28T11:58:30Z'], ['30d', '2026-10-29T12:00:00Z']] as const) {
      expect(parse({ since }).sinceMs, since).to.equal(Date.parse(at));
    }
  });

  for (const [name, value] of [['since', 'yesterday'], ['since', '5'], ['since', '-1h'], ['since', '999999d'], ['limit', '0'], ['limit', '1001'], ['limit', '1e3'], ['actor', ''], ['action', ''], ['target', ''], ['since', ''], ['cursor', '']] as const) {
    it(`refuses ${name}=${value}`, () => {
      expect(() => parse({ [name]: value })).to.throw(RequestError).with.property('details').that.has.nested.property('[0].field', name);
    });
  }

  it('goes on from a cursor of the same list, from the same time', () => {
    const { filter, sinceMs } = parse({ since: '1h', actor: 'Anna' });
    const cursor = printCursor(filter, sinceMs, 'au_1795867200000000');
    expect(parseAuditQuery(new Map(Object.entries({ since: '1h', actor: 'Anna', cursor })), NOW + 60_000)).to.deep.include({ sinceMs, before: 'au_1795867200000000' });
  });

  it('refuses a cursor that was changed, or comes from another list', () => {
    const filter = { actor: 'Anna', action: undefined, target: undefined, since: undefined };
    const good = printCursor(filter, undefined, 'au_1795867200000000');
    const bad = [printCursor({ ...filter, actor: 'Bob' }, undefined, 'au_1'), printCursor(filter, undefined, '(1'), good.slice(1), 'x', printCursorText([]), printCursorText(['Anna', null, null, null, 'soon', 'au_1']), printCursorText(['Anna', null, null, null, null, 1])];
    expect(parse({ actor: 'Anna', cursor: good }).before).to.equal('au_1795867200000000');
    for (const cursor of bad) expect(() => parse({ actor: 'Anna', cursor }), cursor).to.throw(RequestError).with.property('code', 'invalid_cursor');
  });
});

describe('an entry of the audit', () => {
  const matches = (asked: Readonly<Record<string, string>>, found: AuditEntry, targets?: readonly string[]): boolean => {
    const { filter, sinceMs } = parse(asked);
    return matcherOf(filter, targets, sinceMs)(found);
  };

  it('is found by its action, and by the last part of it alone', () => {
    const pause = entry({ action: 'destination.pause' });
    expect(['destination.pause', 'pause', 'destination', 'use', 'Pause'].map((action) => matches({ action }, pause))).to.deep.equal([true, true, false, false, false]);
  });

  it('is found by the action that was made of it in the end', () => {
    const deleted = entry({ action: 'task.cancel', end: { at: NOW, outcome: 'done', errorCode: undefined, action: 'task.delete', count: 1, fields: undefined } });
    expect(['task.delete', 'task.cancel'].map((action) => matches({ action }, deleted))).to.deep.equal([true, false]);
  });

  it('is found by the name that was claimed, by a key and its name, and by the type of its actor', () => {
    const key = entry({ actor: { type: 'key', id: 'k1', name: 'deploy-bot', operator: 'Anna' } });
    expect(['Anna', 'k1', 'deploy-bot', 'key', 'anna', 'bot'].map((actor) => matches({ actor }, key))).to.deep.equal([true, true, true, true, false, false]);
  });

  it('is found by each spelling of its target, and not before its time', () => {
    expect(matches({}, entry({}), ['b', 'a'])).to.equal(true);
    expect(matches({}, entry({}), ['b'])).to.equal(false);
    expect(matches({ since: '1s' }, entry({ at: NOW - 1_001 }))).to.equal(false);
    expect(matches({ since: '1s' }, entry({ at: NOW - 1_000 }))).to.equal(true);
  });
});

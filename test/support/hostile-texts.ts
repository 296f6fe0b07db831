/** Texts that other programs have stumbled over. */
const words = [
  '', ' ', '\u0000', 'a\u0000b', '\n', '\r\n', '\t', '\u007f', '\u0085', '\u2028', '\u202eabc', '\u200b', '\ufeff', '\ufffd', '\u{1f69a}', 'e\u0301', '\u0661', '\u{10ffff}',
  'undefined', 'null', 'NaN', 'Infinity', '-Infinity', 'true', '[]', '{}', '[object Object]', '{"$gt":""}', '__proto__', 'constructor', 'toString', 'hasOwnProperty',
  "'", '"', '"abc', 'abc"', '"abc\\"', '""', '"a""b"', '\\', 'a\\', '`', "'; DROP TABLE tasks; --", '${jndi:ldap://x}', '{{7*7}}', '$(id)', '%s%n', '<script>', '../../etc/passwd', '..', '.', '/', '//', 'a/b',
  '*', '**', '***', 'a*', '*a', 'a**', '*a*a*a*a*b', '"a"*', '%', '%25', '_', '?', '^(a+)+$', '(', ')', '(a', 'a)', 'OR', 'a OR b', 'AND', 'NOT a',
  '-', '--', '--a', '-*', '>', '<', '>=', '..a', 'a..', '1..', '..1', '1..2..3', ',', 'a,', ',a', 'a,,b', '~', '~!', '~AAAA',
  ':', 'a:b', 'state:', ':parked', 'state:parked', 'state::parked', '-state:parked', 'data.:1', 'data..a:1', 'data."a:1', 'data.a."b".c:1', 'http_status:*', '-http_status:*', 'nosuch:1', 'State:parked', 'state:parked state:parked',
  '0', '-0', '00', '1', '-1', '+1', '1.0', '1.5', '1e3', '1E3', '0x10', '0b1', '1_000', '1,000', ' 1', '1 ', '9007199254740993', '9'.repeat(400), '404', '5xx', '4XX', '400..499', '499..400', '>=500', '>= 500', '600xx',
  'http://a:b@c/', 'kafka://default', 'https://', 'http://[::1', 'javascript:alert(1)',
  'x'.repeat(2_000), 'x'.repeat(2_001), 'x'.repeat(8_000), 'a '.repeat(25), `id:${'a,'.repeat(60)}a`, '\u{1f69a}'.repeat(1_000), '"'.repeat(1_999), '('.repeat(1_999), '*a'.repeat(900), `data.${'a.'.repeat(800)}a:1`, '-'.repeat(1_999), '>'.repeat(1_999), '\\'.repeat(1_001),
];

/** Times as people and programs write them, right and wrong. */
export const hostileTimes: readonly string[] = [
  '2026-11-28', '2026-11-28T10:00:00Z', '2026-11-28T10:00:00.123456789Z', '2026-11-28T10:00:00+02:00', '2026-11-28T10:00:00 02:00', '2026-11-28T10:00:00', '2026-11-28 10:00:00Z', '2026-11-28t10:00:00z', '2026-W48-6', '2026-332',
  '2026-02-29', '2026-02-30', '2026-13-01', '2026-00-00', '2026-11-28T24:00:00Z', '2026-11-28T23:59:60Z', '2026-11-28T10:00:00+25:00', '2026-11-28T10:00:00-00:00', '2026-11-28T10:00Z', '2026-11-28T10Z',
  '0000-01-01', '0000-00-00T00:00:00Z', '9999-12-31T23:59:59Z', '9999-12-31T23:59:59-23:59', '10000-01-01T00:00:00Z', '+275760-09-13T00:00:00Z', '-000001-01-01T00:00:00Z', '1969-12-31T23:59:59Z', '1900-01-01T00:00:00Z',
  '20261128', '1764000000', '1764000000000', '1764000000.5', 'now', 'today', 'yesterday', '28.11.2026', '11/28/2026', 'Sat, 28 Nov 2026 10:00:00 GMT', 'Nov 28, 2026', '2026-11-28T10:00:00Z[Europe/Berlin]',
  '1h', '-1h', '+1h', '- 1h', '-1h30m', '-1w', '-1y', '-99999999999d', `-${'9'.repeat(400)}d`, '+99999999999999d', '-1e3h', '-0h', '-.5h', '0s', '24h', '25h', '1ms', '>-1h', '<+10m', '>=2026-11-28', '-1h..+1h', '+1h..-1h', '2026-11-28..2026-11-28', '..2026-11-28',
];

/** Parts of an address that no program writes which encodes its texts. */
const rawParts = ['%00', '%C0%80', '%ED%A0%80', '%FF', '%E2%82', '%zz', '%', '+', '%2B1h', '%252e', 'a=b', '%5b%5d', ';x=1', '|'];

/** Ready to stand in an address or in a header. */
export const hostileParts: readonly string[] = [...[...words, ...hostileTimes].map((text) => encodeURIComponent(text)), ...rawParts];

/** JSON for a place that takes an object, a text, a number, an array or a switch: most of it is of a wrong kind, and some is no JSON. */
export const hostileValues: readonly string[] = [
  'null', 'true', 'false', '0', '-0', '-1', '1.5', '1e3', '1e400', '9007199254740993', '""', '" "', '"\\u0000"', '"\\ud800"', '"1"', '"a,b"', '"x*"', '"../.."', '"http://a:b@c/"', '"2026-02-30"', '"+1h"', '"***"',
  '[]', '[null]', '[[]]', '[{}]', '["a",1]', '["a","a"]', '{}', '{"a":{}}', '{"$gt":1}', '{"__proto__":{"x":1}}', '{"constructor":{"prototype":{}}}', '{"":1}', '{"a":1,"a":2}', '[[[[[[[[[[[[]]]]]]]]]]]]', `"${'x'.repeat(3_000)}"`,
  ...['""""', 'undefined', 'NaN', "'a'", '01', '[1,]', '\u0000'],
];

/** Whole bodies that are no JSON, or JSON of another kind than a call takes. */
export const hostileBodies: readonly string[] = [
  '', ' ', '\ufeff{}', '{', '}', '{"a"', '{"a":}', '{,}', '[', '"', 'nul', '{"filter":{},}', '['.repeat(20_000), '{"a":'.repeat(20_000), `${'{"filter":'.repeat(60)}1${'}'.repeat(60)}`, `[${'0,'.repeat(30_000)}0]`, '{} {}', '//', '\ud800', '<xml/>', 'a=b&c=d',
  ...hostileValues,
];

import { expect } from 'chai';

import type { AttemptLine } from '../../../../shared/logging/log-line.js';
import { createLogger, type LoggerOptions } from '../../../../shared/logging/logger.js';
import { eventually } from '../../../support/eventually.js';

class Lines {
  text = '';
  isTTY = false;
  write(text: string): void {
    this.text += text;
  }
}

const dev: LoggerOptions = { level: 'info', environment: 'dev', role: 'worker' };
const prod: LoggerOptions = { ...dev, environment: 'prod', version: '1.2.3' };

const attempt: AttemptLine = {
  task_id: 'order 1',
  client_id: 'shop',
  source: 'orders',
  flow_key: undefined,
  trace_id: undefined,
  run: 1,
  phase: 'delivery',
  attempt: 2,
  max_retries: 5,
  destination: 'https://api.example.com/hook',
  outcome: 'retry',
  duration_ms: 17,
  late_ms: 3,
  code: 'http_server_error',
  http_status: 500,
  next_delay_ms: 4_000,
  detail: 'HTTP 500 "down"',
};

describe('createLogger', () => {
  it('writes one JSON object a line in prod', () => {
    const lines = new Lines();
    const logger = createLogger(prod, lines);
    logger.attempt(() => attempt);
    logger.warn('beware', { of: 'the dog', nothing: undefined });
    logger.flush();
    const [first = '', second = '', rest] = lines.text.split('\n');
    expect(rest).to.equal('');
    const { time, ...fields } = JSON.parse(first) as Record<string, unknown>;
    expect(time).to.match(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    const { flow_key: _none, trace_id: _without, ...written } = attempt;
    const process = { service: 'kafka-retry-service', version: '1.2.3', role: 'worker' };
    expect(fields).to.deep.equal({ level: 'info', ...process, event: 'attempt', message: 'attempt', ...written });
    expect(JSON.parse(second)).to.deep.include({ level: 'warn', ...process, event: 'other', message: 'beware', of: 'the dog' });
  });

  it('writes JSON in prod whatever a value is', () => {
    const lines = new Lines();
    const logger = createLogger(prod, lines);
    const values = { text: 'a "b" \\ \u0001 ü', empty: '', nothing: undefined, yes: true, number: -0.5, endless: Infinity, not: NaN };
    logger.info('a "b"', values);
    logger.flush();
    const { time: _time, ...fields } = JSON.parse(lines.text) as Record<string, unknown>;
    expect(fields).to.deep.equal({ level: 'info', service: 'kafka-retry-service', version: '1.2.3', role: 'worker', event: 'other', message: 'a "b"', text: values.text, empty: '', yes: true, number: -0.5, endless: null, not: null });
  });

  const stamp = String.raw`^\d\d:\d\d:\d\d\.\d{3} info  worker: `;

  it('writes one short line an attempt in dev: what, which task, where to, and what is not as usual', () => {
    const lines = new Lines();
    const logger = createLogger(dev, lines);
    logger.attempt(() => ({ ...attempt, task_id: 'a', attempt: 0, outcome: 'delivered', code: undefined, http_status: 200, next_delay_ms: undefined, detail: undefined }));
    logger.attempt(() => attempt);
    logger.attempt(() => ({ ...attempt, run: 2, phase: 'dead_letter', attempt: 0, outcome: 'dead_lettered', code: undefined, http_status: 204, next_delay_ms: undefined, detail: undefined, late_ms: 90_000 }));
    logger.flush();
    const [delivered, retry, dead] = lines.text.split('\n');
    expect(delivered).to.match(new RegExp(String.raw`${stamp}delivered a -> https://api\.example\.com/hook \(200, 17 ms\)$`));
    expect(retry).to.match(new RegExp(String.raw`${stamp}retry "order 1" -> https://api\.example\.com/hook \(500 http_server_error, "HTTP 500 \\"down\\"", 17 ms, attempt 2 of 5, again in 4 s\)$`));
    expect(dead).to.match(new RegExp(String.raw`${stamp}dead_lettered "order 1" -> https://api\.example\.com/hook \(204, 17 ms, dead letter, attempt 0, run 2, 90 s late\)$`));
  });

  it('says in dev which process writes, and in quotes what needs them', () => {
    const lines = new Lines();
    const logger = createLogger({ ...dev, name: 'worker 2' }, lines);
    logger.warn('beware', { of: 'the dog', since: 3, nothing: undefined });
    logger.flush();
    expect(lines.text).to.match(/^\d\d:\d\d:\d\d\.\d{3} warn {2}worker 2: beware of="the dog" since=3\n$/);
  });

  const ESCAPE = '\u001b[';
  const colours: readonly (readonly [what: string, colours: LoggerOptions['colours'], isTTY: boolean, isColoured: boolean])[] = [
    ['to a terminal', 'auto', true, true],
    ['to a file', 'auto', false, false],
    ['to a terminal that should have none', 'never', true, false],
    ['to a file that should have them', 'always', false, true],
  ];
  for (const [what, choice, isTTY, isColoured] of colours) {
    it(`${isColoured ? 'colours' : 'does not colour'} lines ${what}`, () => {
      const lines = new Lines();
      lines.isTTY = isTTY;
      const logger = createLogger({ ...dev, ...(choice === undefined ? {} : { colours: choice }) }, lines);
      logger.attempt(() => attempt);
      logger.error('no');
      logger.flush();
      expect(lines.text.includes(ESCAPE)).to.equal(isColoured);
      // eslint-disable-next-line no-control-regex -- these are the colours
      expect(lines.text.replaceAll(/\u001b\[\d+m/g, '')).to.match(/retry "order 1" -> .*\n.* error worker: no\n$/);
    });
  }

  it('never colours JSON', () => {
    const lines = new Lines();
    lines.isTTY = true;
    const logger = createLogger({ ...prod, colours: 'always' }, lines);
    logger.attempt(() => attempt);
    logger.flush();
    expect(lines.text.includes(ESCAPE)).to.equal(false);
  });

  it('writes 20 lines of attempts in a second in dev, and then one that counts the others by destination', async () => {
    const lines = new Lines();
    const logger = createLogger(dev, lines);
    const send = (count: number, changes: Partial<AttemptLine>): void => {
      for (let nth = 0; nth < count; nth += 1) logger.attempt(() => ({ ...attempt, ...changes }));
    };
    send(20, {});
    send(7, { outcome: 'delivered' });
    send(2, { outcome: 'retry' });
    send(3, { outcome: 'dead_lettered', destination: 'kafka://default/dead' });
    for (let nth = 0; nth < 5; nth += 1) send(1, { outcome: 'park', destination: `https://${nth}.example.com/` });
    const written = await eventually(() => {
      const [, found] = /: (\d+ more attempts.*)/.exec(lines.text) ?? [];
      if (found === undefined) throw new Error(`no summary yet:\n${lines.text}`);
      return found;
    }, { withinMs: 5_000 });
    expect(written).to.equal('17 more attempts: https://api.example.com/hook 7 delivered, 2 failed; kafka://default/dead 3 dead-lettered; https://0.example.com/ 1 failed; https://1.example.com/ 1 failed; https://2.example.com/ 1 failed; 2 other destinations 2 failed');
    // The second after it is a busy one, too, until it is known to be quiet.
    send(3, {});
    for (const outcome of ['release', 'defer', 'leave']) send(1, { outcome });
    logger.flush();
    expect(lines.text.match(/: retry "order 1"/g)).to.have.lengthOf(20);
    expect(lines.text).to.match(/: 6 more attempts: .* 3 failed, 3 put back\n$/);
  });

  it('writes every attempt in prod', () => {
    const lines = new Lines();
    const logger = createLogger(prod, lines);
    for (let nth = 0; nth < 100; nth += 1) logger.attempt(() => attempt);
    logger.flush();
    expect(lines.text.split('\n')).to.have.lengthOf(101);
  });

  it('keeps a line one line, whatever a value holds', () => {
    const lines = new Lines();
    const logger = createLogger(dev, lines);
    logger.info('a', { text: 'b\nc\u001b[31m' });
    logger.flush();
    expect(lines.text.split('\n')).to.have.lengthOf(2);
    expect(lines.text).to.contain('text="b\\nc\\u001b[31m"');
  });

  const hidden = ['\u202e', '\u200b', '\u{e0041}', '\u2028', '\u2029', '\u2066', '\u00ad', '\ufeff', '\u061c', '\u180e', '\u3164', '\ufe0f', '\u00a0', '\u2003', '\u2800', '\u009b', '\u0085', '\u007f', '\u001b', '\ud83d', '\ude9a'];
  for (const environment of ['dev', 'prod'] as const) {
    it(`writes characters that a person would not see as escapes in ${environment}, and the others as they are`, () => {
      for (const character of hidden) {
        const lines = new Lines();
        const logger = createLogger({ ...dev, environment }, lines);
        logger.attempt(() => ({ ...attempt, task_id: `a${character}b`, code: undefined, detail: undefined }));
        logger.warn('Zürich 🚚', { text: `ü${character}🚚` });
        logger.flush();
        expect(lines.text).to.match(/^[ -~\nü🚚]+$/u);
        const escaped = Array.from({ length: character.length }, (_, index) => `\\u${character.charCodeAt(index).toString(16).padStart(4, '0')}`).join('');
        expect(lines.text).to.contain(`"a${escaped}b"`).and.to.contain(`"ü${escaped}🚚"`).and.to.contain('Zürich 🚚');
        if (environment === 'prod') expect(JSON.parse(lines.text.split('\n')[0] ?? '')).to.have.property('task_id', `a${character}b`);
      }
    });
  }

  it('tells an escape from the same characters in a value', () => {
    const lines = new Lines();
    const logger = createLogger(dev, lines);
    logger.info('x', { sent: '\\u202e', meant: '\u202e' });
    logger.flush();
    expect(lines.text).to.match(/ sent="\\\\u202e" meant="\\u202e"\n$/);
  });

  it('leaves nothing behind in the process: tests make many', () => {
    const before = process.listenerCount('exit');
    createLogger(dev, new Lines());
    expect(process.listenerCount('exit')).to.equal(before);
  });

  it('leaves out what is below its level', () => {
    const lines = new Lines();
    const logger = createLogger({ ...dev, level: 'warn' }, lines);
    logger.attempt(() => { throw new Error('made for nothing'); });
    logger.info('quiet');
    logger.debug('quieter');
    logger.error('loud');
    logger.flush();
    expect(lines.text).to.match(/^\S+ error worker: loud\n$/);
  });
});

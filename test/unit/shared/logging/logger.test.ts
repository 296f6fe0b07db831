import { expect } from 'chai';

import { createLogger, type AttemptLine } from '../../../../shared/logging/logger.js';

class Lines {
  text = '';
  write(text: string): void {
    this.text += text;
  }
}

const attempt: AttemptLine = {
  task_id: 'order 1',
  run: 1,
  phase: 'delivery',
  attempt: 2,
  max_retries: 5,
  destination: 'http https://api.example.com/hook',
  outcome: 'retry',
  duration_ms: 17,
  code: 'http_server_error',
  http_status: 500,
  next_delay_ms: 4_000,
  detail: 'HTTP 500 "down"',
};

describe('createLogger', () => {
  it('writes one JSON object a line in prod', () => {
    const lines = new Lines();
    const logger = createLogger({ level: 'info', environment: 'prod' }, lines);
    logger.attempt(() => attempt);
    logger.warn('beware', { of: 'the dog', nothing: undefined });
    logger.flush();
    const [first = '', second = '', rest] = lines.text.split('\n');
    expect(rest).to.equal('');
    const { time, ...fields } = JSON.parse(first) as Record<string, unknown>;
    expect(time).to.match(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    expect(fields).to.deep.equal({ level: 'info', message: 'attempt', ...attempt });
    expect(JSON.parse(second)).to.deep.include({ level: 'warn', message: 'beware', of: 'the dog' });
  });

  it('writes readable lines in dev, with quotes where a value needs them', () => {
    const lines = new Lines();
    const logger = createLogger({ level: 'info', environment: 'dev' }, lines);
    logger.attempt(() => ({ ...attempt, next_delay_ms: undefined }));
    logger.flush();
    expect(lines.text).to.match(/^\d\d:\d\d:\d\d\.\d{3} info {2}attempt task_id="order 1" run=1 phase=delivery attempt=2 max_retries=5 destination="http https:\/\/api\.example\.com\/hook" outcome=retry duration_ms=17 code=http_server_error http_status=500 detail="HTTP 500 \\"down\\""\n$/);
  });

  it('keeps a line one line, whatever a value holds', () => {
    const lines = new Lines();
    const logger = createLogger({ level: 'info', environment: 'dev' }, lines);
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
        const logger = createLogger({ level: 'info', environment }, lines);
        logger.attempt(() => ({ ...attempt, task_id: `a${character}b`, detail: undefined }));
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
    const logger = createLogger({ level: 'info', environment: 'dev' }, lines);
    logger.info('x', { sent: '\\u202e', meant: '\u202e' });
    logger.flush();
    expect(lines.text).to.match(/ sent="\\\\u202e" meant="\\u202e"\n$/);
  });

  it('leaves nothing behind in the process: tests make many', () => {
    const before = process.listenerCount('exit');
    createLogger({ level: 'info', environment: 'dev' }, new Lines());
    expect(process.listenerCount('exit')).to.equal(before);
  });

  it('leaves out what is below its level', () => {
    const lines = new Lines();
    const logger = createLogger({ level: 'warn', environment: 'dev' }, lines);
    logger.attempt(() => { throw new Error('made for nothing'); });
    logger.info('quiet');
    logger.debug('quieter');
    logger.error('loud');
    logger.flush();
    expect(lines.text).to.match(/^\S+ error loud\n$/);
  });
});

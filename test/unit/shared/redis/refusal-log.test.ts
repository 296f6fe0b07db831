import { expect } from 'chai';

import type { LogFields } from '../../../../shared/logging/log-line.js';
import { RefusalLog } from '../../../../shared/redis/refusal-log.js';

describe('RefusalLog', () => {
  let now: number;
  let lines: string[];
  let log: RefusalLog;

  beforeEach(() => {
    now = 0;
    lines = [];
    const write = (message: string, { cause }: LogFields = {}): void => void lines.push(cause === undefined ? message : `${message}: ${String(cause)}`);
    log = new RefusalLog({ error: write, info: write }, undefined, () => now);
  });

  const refuse = (message: string): void => log.refused(Object.assign(new Error(message), { name: 'ReplyError' }));

  it('writes one line of a cause, and the next one 10 s later', () => {
    for (now = 0; now < 20_000; now += 10) refuse('NOREPLICAS Not enough good replicas to write.');
    expect(lines).to.deep.equal([1, 2].map(() => 'redis refuses: NOREPLICAS Not enough good replicas to write.'));
  });

  it('writes another cause at once', () => {
    refuse('NOREPLICAS a');
    refuse('NOPERM b');
    expect(lines).to.deep.equal(['redis refuses: NOREPLICAS a', 'redis refuses: NOPERM b']);
  });

  it('says once that Redis takes writes again', () => {
    log.accepted();
    refuse('NOREPLICAS a');
    now = 1_000;
    log.accepted();
    log.accepted();
    expect(lines).to.deep.equal(['redis refuses: NOREPLICAS a', 'redis takes writes again']);
  });

  it('writes a refusal that comes right after the line that said again, and the end of that one too', () => {
    refuse('NOPERM a');
    now = 1_000;
    log.accepted();
    now = 1_100;
    refuse('NOPERM a');
    refuse('NOPERM b');
    now = 5_000;
    log.accepted();
    expect(lines).to.deep.equal(['redis refuses: NOPERM a', 'redis takes writes again', 'redis refuses: NOPERM a', 'redis refuses: NOPERM b', 'redis takes writes again']);
  });

  it('does not begin and end an outage with each request when one key is refused while others are taken', () => {
    for (now = 0; now < 9_000; now += 100) {
      refuse('WRONGTYPE a');
      now += 1_000;
      log.accepted();
    }
    expect(lines).to.deep.equal(['redis refuses: WRONGTYPE a', 'redis takes writes again', 'redis refuses: WRONGTYPE a']);
  });

  it('needs as short a quiet time as before once Redis was well for 10 s', () => {
    refuse('NOPERM a');
    now = 1_000;
    log.accepted();
    now = 12_000;
    refuse('NOPERM a');
    now = 13_000;
    log.accepted();
    expect(lines).to.have.lengthOf(4);
  });
});

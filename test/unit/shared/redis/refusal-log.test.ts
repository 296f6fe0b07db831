import { expect } from 'chai';

import type { LogFields } from '../../../../shared/logging/logger.js';
import { RefusalLog } from '../../../../shared/redis/refusal-log.js';

describe('RefusalLog', () => {
  let now: number;
  let lines: string[];
  let log: RefusalLog;

  beforeEach(() => {
    now = 0;
    lines = [];
    const write = (message: string, { cause }: LogFields = {}): void => void lines.push(cause === undefined ? message : `${message}: ${String(cause)}`);
    log = new RefusalLog({ error: write, info: write }, () => now);
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

  it('writes at most two lines in 10 s when one key is refused while others are taken', () => {
    for (now = 0; now < 10_000; now += 100) {
      refuse('WRONGTYPE a');
      now += 1_000;
      log.accepted();
    }
    expect(lines).to.deep.equal(['redis refuses: WRONGTYPE a', 'redis takes writes again']);
  });
});

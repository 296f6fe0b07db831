import { expect } from 'chai';

import { replicasInStep } from '../../../../shared/redis/replica-count.js';

describe('replicasInStep', () => {
  const replica = (nth: number, state: string, lag: number): string => `slave${nth}:ip=10.0.0.${nth},port=6379,state=${state},offset=700,lag=${lag}\r\n`;
  const table: readonly (readonly [what: string, info: string, count: number])[] = [
    ['no replica', '# Replication\r\nrole:master\r\nconnected_slaves:0\r\nmaster_replid:a1\r\n', 0],
    ['two that are in step', `# Replication\r\nrole:master\r\nconnected_slaves:2\r\n${replica(0, 'online', 0)}${replica(1, 'online', 1)}`, 2],
    ['one that still copies', `connected_slaves:2\r\n${replica(0, 'online', 1)}${replica(1, 'wait_bgsave', 0)}`, 1],
    ['one that has been silent for 11 s, and one for 10 s', `connected_slaves:2\r\n${replica(0, 'online', 11)}${replica(1, 'online', 10)}`, 1],
    ['no answer to speak of', '', 0],
  ];
  for (const [what, info, count] of table) {
    it(`is ${count} for ${what}`, () => {
      expect(replicasInStep(info)).to.equal(count);
    });
  }
});

import { expect } from 'chai';

import { checkSaslToken } from '../../../../shared/kafka/answer-check.js';
import { NoKafkaBroker } from '../../../../shared/kafka/no-kafka-broker.js';

describe('the rounds of hashing that a broker asks for', () => {
  const check = (token: string) => (): void => { checkSaslToken(Buffer.from(token)); };

  for (const token of ['', 'r=abc,s=YWJj,i=4096', 'v=i+i=', 'e=other-error', 'r=i,s=aT0=,i=8192']) {
    it(`takes ${JSON.stringify(token)}`, () => { expect(check(token)).to.not.throw(); });
  }
  for (const token of ['r=a,s=b,i=2000000000', 'r=a,s=b,i=4096,i=2000000000', 'r=a,s=b,i=+2000000000', 'r=a,s=b,i= 2000000000', 'r=a,s=b,i=x', 'r=a,s=b,i=', 'i=2000000000', 'r=a,s=b,i=1e9']) {
    it(`refuses ${JSON.stringify(token)}, which kafkajs could read as more`, () => { expect(check(token)).to.throw(NoKafkaBroker); });
  }
});

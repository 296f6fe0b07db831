import { expect } from 'chai';

import { kafkajsWarnings, patchKafkajs } from '../../../../shared/kafka/kafkajs-patches.js';
import { KAFKAJS_VERSION } from '../../../../shared/kafka/kafkajs-version.js';
import { BULLMQ_VERSION } from '../../../../shared/queue/engine/bullmq-contract.js';
import { readText } from '../../docs/repository-file.js';

describe('patchKafkajs', () => {
  it('has nothing to say of the kafkajs that is installed, however often it is called', () => {
    expect(patchKafkajs()).to.deep.equal([]);
    expect(patchKafkajs()).to.deep.equal([]);
  });
});

describe('kafkajsWarnings', () => {
  it('names what was expected and found, and what each patch that is off costs', () => {
    const off = { idleLoop: false, records: false, errorCodes: false, requestTimeouts: false, deadlines: false };
    const on = { idleLoop: true, records: true, errorCodes: true, requestTimeouts: true, deadlines: true };
    expect(kafkajsWarnings('2.2.5', off)).to.have.lengthOf(6);
    for (const warning of kafkajsWarnings('2.2.5', off)) expect(warning).to.include(`expected ${KAFKAJS_VERSION}, found 2.2.5`);
    expect(kafkajsWarnings(KAFKAJS_VERSION, { ...on, idleLoop: false }).join()).to.include('idle loop');
    expect(kafkajsWarnings(KAFKAJS_VERSION, { ...on, records: false }).join()).to.include('writes records');
    expect(kafkajsWarnings(KAFKAJS_VERSION, { ...on, errorCodes: false }).join()).to.include('a number and no name');
    expect(kafkajsWarnings(KAFKAJS_VERSION, { ...on, requestTimeouts: false }).join()).to.include('time of day');
    expect(kafkajsWarnings(KAFKAJS_VERSION, { ...on, deadlines: false }).join()).to.include('the wait that a broker asks for');
  });
});

describe('package.json', () => {
  it('pins the versions whose insides are relied on', () => {
    const { dependencies } = JSON.parse(readText('package.json')) as { dependencies: Record<string, string> };
    expect([dependencies['kafkajs'], dependencies['bullmq']]).to.deep.equal([KAFKAJS_VERSION, BULLMQ_VERSION]);
  });
});

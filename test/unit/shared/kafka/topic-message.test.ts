import { expect } from 'chai';
import type { DeliveryAttempt } from '../../../../shared/domain/ports.js';

import { toTopicMessage } from '../../../../shared/kafka/topic-message.js';

const attempt: DeliveryAttempt = { taskId: 't', run: 1, edit: 0, phase: 'delivery', key: 't|0', body: 'grüße', headers: { 'x-retry-task-id': 't' } };
const destination = { type: 'kafka', broker: undefined, topic: 'orders', key: undefined, headers: undefined } as const;

describe('toTopicMessage', () => {
  it('takes the key of the attempt unless the destination has one, even an empty one', () => {
    expect(toTopicMessage(attempt, destination).key.toString()).to.equal('t|0');
    expect(toTopicMessage(attempt, { ...destination, key: 'customer' }).key.toString()).to.equal('customer');
    expect(toTopicMessage(attempt, { ...destination, key: '' }).key.toString()).to.equal('');
  });

  it('lays our own headers over those of the destination', () => {
    const headers = { 'x-retry-task-id': 'forged', region: 'eu' };
    expect(toTopicMessage(attempt, { ...destination, headers }).headers).to.deep.equal({ 'x-retry-task-id': 't', region: 'eu' });
  });

  it('counts key, value and headers in bytes, not characters', () => {
    // 't|0' 3 + 'grüße' 7 + 'x-retry-task-id' 15 + 't' 1
    expect(toTopicMessage(attempt, destination).bytes).to.equal(26);
  });
});

import { expect } from 'chai';

import { SendSignal } from '../../../../workers/delivery/send-signal.js';

describe('SendSignal', () => {
  it('tells functions and objects, once, and not those that were taken back', () => {
    const signal = new SendSignal();
    const told: string[] = [];
    const takenBack = (): void => { told.push('taken back'); };
    signal.addEventListener('abort', () => { told.push('function'); });
    signal.addEventListener('abort', { handleEvent: () => { told.push(`object, ${String(signal.aborted)}`); } });
    signal.addEventListener('abort', takenBack);
    signal.removeEventListener('abort', takenBack);
    const reason = new Error('the limit');
    signal.abort(reason);
    signal.abort(new Error('shutdown'));
    expect(told).to.deep.equal(['function', 'object, true']);
    expect(signal.reason).to.equal(reason);
  });
});

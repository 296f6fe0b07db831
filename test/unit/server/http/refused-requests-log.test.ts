import type { Socket } from 'node:net';

import { expect } from 'chai';

import { RefusedRequestsLog } from '../../../../server/http/refused-requests-log.js';
import { RequestError } from '../../../../shared/domain/errors.js';

describe('RefusedRequestsLog', () => {
  it('shows five refusals of an address in a second, ten in all, and the number of the others', () => {
    const lines: { readonly message: string; readonly fields: Readonly<Record<string, unknown>> }[] = [];
    const note = (message: string, fields: object = {}): void => void lines.push({ message, fields: { ...fields } });
    const log = new RefusedRequestsLog({ info: note, warn: note });
    // The log asks for these two alone.
    const from = (remoteAddress: string): Socket => ({ remoteAddress, destroyed: false }) as Socket;
    const refuse = (address: string): void => log.bytes(new RequestError('unauthenticated', 'no key'), from(address));
    for (let nth = 0; nth < 1_000; nth += 1) refuse('192.0.2.1');
    refuse('192.0.2.2');
    // One of them has the whole /64.
    for (let nth = 0; nth < 50; nth += 1) refuse(`2001:db8::${nth}`);
    log.flush();
    const shown = lines.filter(({ message }) => message === 'request refused').map(({ fields }) => fields['remote_address']);
    expect(shown.filter((address) => address === '192.0.2.1')).to.have.length(5);
    expect(shown.filter((address) => address === '192.0.2.2')).to.have.length(1);
    expect(shown).to.have.length(10);
    expect(lines.at(-1)).to.deep.equal({ message: 'more requests were refused', fields: { count: 1_041, codes: 'unauthenticated 1041' } });
  });
});

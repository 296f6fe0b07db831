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

  it('names the fields of a task that are wrong, the type of a destination too, and no name that the client has made up', () => {
    const lines: unknown[] = [];
    const note = (_message: string, fields: object = {}): void => void lines.push((fields as { readonly fields?: unknown }).fields);
    const details = ['destination_type', 'dead_destination_type', 'destination.url', 'max_retries', 'hunter2'].map((field) => ({ field, message: '' }));
    new RefusedRequestsLog({ info: note, warn: note }).bytes(new RequestError('invalid_task', '', details), { remoteAddress: '192.0.2.1', destroyed: false } as Socket);
    expect(lines).to.deep.equal(['destination_type,dead_destination_type,destination,max_retries']);
  });

  it('leaves a text out where a url or a login stands in it, and cuts a long one', () => {
    const errors: unknown[] = [];
    const note = (_message: string, fields: object = {}): void => void errors.push((fields as { readonly error?: unknown }).error);
    const log = new RefusedRequestsLog({ info: note, warn: note });
    let nth = 0;
    const loggedOf = (refusal: RequestError): unknown => {
      log.bytes(refusal, { remoteAddress: `192.0.2.${(nth += 1)}`, destroyed: false } as Socket);
      return errors.at(-1);
    };
    const url = 'https://user:hunter2@api.example.com/T1/a1b2c3';
    for (const quoted of [url, encodeURIComponent(url), 'user:hunter2@host']) {
      expect(loggedOf(new RequestError('not_found', `there is nothing at /destinations/${quoted}: a / must be written as %2F`)), quoted).to.equal(undefined);
      expect(loggedOf(new RequestError('task_not_found', `no task ${JSON.stringify(quoted)} is known`)), quoted).to.equal(undefined);
    }
    expect(loggedOf(new RequestError('not_found', `there is nothing at /${'a'.repeat(16_000)}`))).to.have.length(300);
    expect(loggedOf(new RequestError('origin_refused', 'Origin is "https://shop.example.com", and Host is "a"'))).to.contain('https://shop.example.com');
    expect(loggedOf(new RequestError('origin_refused', 'Origin is "https://user:hunter2@shop.example.com", and Host is "a"'))).to.equal(undefined);
  });
});

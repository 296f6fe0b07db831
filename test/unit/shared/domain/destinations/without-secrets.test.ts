import { expect } from 'chai';
import fc from 'fast-check';

import { createPathMask, defaultPathMask } from '../../../../../shared/domain/destinations/path-mask.js';
import { withoutSecrets } from '../../../../../shared/domain/destinations/without-secrets.js';

const TOKEN = 'a1b2c3d4e5f6g7h8i9j0';
const hidden = (text: string, url: string): string => withoutSecrets(text, { type: 'http', url }, defaultPathMask);

describe('withoutSecrets', () => {
  const url = `https://user:p%40ssword@api.example.com/orders/${TOKEN}?api_key=k%2Bey-1234&b=1`;
  const table: readonly (readonly [said: string, shown: string])[] = [
    ['HTTP 404: not found', 'HTTP 404: not found'],
    [`HTTP 404: Cannot POST /orders/${TOKEN}?api_key=k%2Bey-1234&b=1`, 'HTTP 404: Cannot POST ***?***'],
    [`no such hook: ${TOKEN}`, 'no such hook: ***'],
    [String.raw`{"path":"\/orders\/${TOKEN}"}`, String.raw`{"path":"\/orders\/***"}`],
    ['api_key=k%2Bey-1234&amp;b=1', '***&amp;***'],
    ['{"api_key":"k+ey-1234"}', '{"api_key":"***"}'],
    ['bad password p@ssword', 'bad password ***'],
    ['you sent user:p@ssword', 'you sent ***'],
    [`Authorization: Basic ${Buffer.from('user:p@ssword').toString('base64')}`, 'Authorization: Basic ***'],
    [`connect ECONNREFUSED https://user:p%40ssword@api.example.com/orders/${TOKEN}`, 'connect ECONNREFUSED https://***@api.example.com***'],
    [`the text is cut: ${TOKEN.slice(0, 9)}…`, 'the text is cut: ***…'],
    [`the text is cut: ${TOKEN.slice(0, 9)}`, 'the text is cut: ***'],
    [`it begins with "POST /orders/${TOKEN.slice(0, 12)}…"`, 'it begins with "POST ***…"'],
    [`the address in lower case: ${TOKEN.toUpperCase()}`, 'the address in lower case: ***'],
    ['b is 1', 'b is 1'],
  ];
  for (const [said, shown] of table) {
    it(`makes ${JSON.stringify(shown)} of ${JSON.stringify(said)}`, () => { expect(hidden(said, url)).to.equal(shown); });
  }

  it('hides each segment of a secret path', () => {
    const mask = createPathMask(['127.0.0.1']);
    const path = '/services/T00000000/not-a-real-secret';
    const destination = { type: 'http', url: `http://127.0.0.1:9${path}` } as const;
    expect(withoutSecrets(`Cannot POST ${path}`, destination, mask)).to.equal('Cannot POST ***');
    expect(withoutSecrets('no team T00000000 has not-a-real-secret', destination, mask)).to.equal('no team *** has ***');
  });

  it('leaves a text alone where the destination has no secret', () => {
    const text = 'Cannot POST /orders';
    expect(hidden(text, 'https://api.example.com/orders')).to.equal(text);
    expect(hidden(text, 'no url at all')).to.equal(text);
    expect(withoutSecrets(text, { type: 'kafka', broker: undefined, topic: 'orders', key: 'orders', headers: { a: 'orders' } }, defaultPathMask)).to.equal(text);
  });

  it('leaves no token of a url in an answer that quotes it, wherever it was cut', () => {
    const secret = fc.stringMatching(/^[A-Z][0-9][A-Z0-9]{23}$/);
    fc.assert(
      fc.property(secret, secret, secret, fc.nat(80), (inPath, inQuery, password, end) => {
        const said = `POST /a/${inPath}?key=${inQuery} by u:${password}`.slice(0, end);
        const shown = hidden(said, `https://u:${password}@a.example.com/a/${inPath}?key=${inQuery}`);
        for (const token of [inPath, inQuery, password]) expect(shown).to.not.contain(token.slice(0, 8));
      }),
    );
  });
});

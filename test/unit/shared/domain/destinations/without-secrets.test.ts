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
    [String.raw`{"path":"\/orders\/${TOKEN}"}`, '{"path":"***"}'],
    ['api_key=k%2Bey-1234&amp;b=1', '***'],
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
  const escaped: readonly (readonly [said: string, shown: string])[] = [
    ['HTML: p&#64;ssword', 'HTML: ***'],
    ['HTML: p&#x40;ssword, p&commat;ssword, p&#x00040ssword', 'HTML: ***, ***, ***'],
    ['HTML: &#112;&#64;ssword!', 'HTML: ***!'],
    ['HTML in HTML: p&amp;#64;ssword', 'HTML in HTML: ***'],
    [String.raw`JSON: "p\u0040ssword"`, 'JSON: "***"'],
    [String.raw`JSON in JSON: "{\"a\":\"p\\u0040ssword\"}"`, String.raw`JSON in JSON: "{\"a\":\"***\"}"`],
    [String.raw`JavaScript: p\x40ssword, p\u{40}ssword`, 'JavaScript: ***, ***'],
    ['a url: p%40ssword, %70%40%73sword', 'a url: ***, ***'],
    ['a url in a url: p%2540ssword', 'a url in a url: ***'],
    [`cut in an escape: "p&#x40;sswo&#x7…"`, 'cut in an escape: "***…"'],
    ['cut in an escape: p%40sswo%7', 'cut in an escape: ***'],
    ['cut behind & none: Tom &am', 'cut behind & none: Tom &am'],
    [String.raw`no escapes: 100% &nothing; &#9999999; \u12 \q %zz`, String.raw`no escapes: 100% &nothing; &#9999999; \u12 \q %zz`],
  ];
  for (const [said, shown] of [...table, ...escaped]) {
    it(`makes ${JSON.stringify(shown)} of ${JSON.stringify(said)}`, () => { expect(hidden(said, url)).to.equal(shown); });
  }

  it('hides each segment of a secret path', () => {
    const mask = createPathMask(['127.0.0.1']);
    const path = '/services/T00000000/not-a-real-secret';
    const destination = { type: 'http', url: `http://127.0.0.1:9${path}` } as const;
    expect(withoutSecrets(`Cannot POST ${path}`, destination, mask)).to.equal('Cannot POST ***');
    expect(withoutSecrets('no team T00000000 has not-a-real-secret', destination, mask)).to.equal('no team *** has ***');
  });

  it('hides a secret that was written in another character set', () => {
    const accented = 'http://user:gr%C3%B6%C3%9Fe-Ä1@h/';
    const said = ['größe-Ä1', Buffer.from('größe-Ä1').toString('latin1').replace(/\p{C}/gu, ' '), new TextDecoder('windows-1252').decode(Buffer.from('größe-Ä1')), new TextDecoder().decode(Buffer.from('größe-Ä1', 'latin1')), 'gr??e-?1', 'gr%F6%DFe-%C41', String.raw`gr\xc3\xb6\xc3\x9fe-\xc3\x841`, 'gr&ouml;&szlig;e-&Auml;1'];
    expect(said.map((text) => hidden(`not ${text}!`, accented))).to.deep.equal(said.map(() => 'not ***!'));
  });

  it('hides a short secret only as a word of its own, and none of one or two characters', () => {
    const mask = createPathMask(['*']);
    const cases: readonly (readonly [url: string, said: string, shown: string])[] = [
      ['http://h/a', 'Cannot POST /a: a task has a path', 'Cannot POST /a: a task has a path'],
      ['http://h/*', 'Cannot POST /*: 2 * 3', 'Cannot POST /*: 2 * 3'],
      ['http://h/ab', 'Cannot POST /ab of http://h/ab: above /abc', 'Cannot POST *** of http://h***: above /abc'],
      ['http://h/?a', 'a task is not a message', 'a task is not a message'],
      ['http://h/?a=1', 'a=1 is wrong, and aa=11 too', '*** is wrong, and aa=11 too'],
      ['http://u:abc@h/', 'abc is no word of the alphabet abcdef', '*** is no word of the alphabet abcdef'],
      ['http://u:p@h/', 'up and u:p', 'up and ***'],
      ['http://h/api/v1', 'no v1 in this api, only /api/v1', 'no v1 in this api, only ***'],
    ];
    for (const [url, said, shown] of cases) expect(withoutSecrets(said, { type: 'http', url }, mask), url).to.equal(shown);
  });

  it('leaves a text alone where the destination has no secret', () => {
    const text = 'Cannot POST /orders';
    expect(hidden(text, 'https://api.example.com/orders')).to.equal(text);
    expect(hidden(text, 'no url at all')).to.equal(text);
    expect(withoutSecrets(text, { type: 'kafka', broker: undefined, topic: 'orders', key: 'orders', headers: { a: 'orders' } }, defaultPathMask)).to.equal(text);
  });

  it('leaves no password in an answer that quotes it in any layers of escapes', () => {
    const percent = (text: string): string => encodeURIComponent(text).replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16)}`);
    const escapes: Readonly<Record<string, (text: string) => string>> = {
      percent,
      everyByte: (text) => [...Buffer.from(text)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join(''),
      html: (text) => text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`),
      htmlNames: (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;').replaceAll("'", '&#x27;'),
      everyUnitInHtml: (text) => [...text].map((character) => `&#x${(character.codePointAt(0) ?? 0).toString(16)};`).join(''),
      json: (text) => JSON.stringify(text).slice(1, -1),
      everyUnitInJson: (text) => text.split('').map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`).join(''),
      slashes: (text) => JSON.stringify(text).slice(1, -1).replaceAll('/', '\\/'),
    };
    const password = fc.array(fc.constantFrom('s', 'S', '1', '&', '<', '"', "'", '/', '%', '@', '+', '\\', 'ü', '🚚', '%41', '&amp;', '\\u0041'), { minLength: 4, maxLength: 12 }).map((pieces) => `Hidden-${pieces.join('')}`);
    fc.assert(
      fc.property(password, fc.array(fc.constantFrom(...Object.keys(escapes)), { maxLength: 2 }), (text, layers) => {
        const quoted = layers.reduce((inner, layer) => escapes[layer]?.(inner) ?? inner, text);
        expect(hidden(`no login "${quoted}" here`, `https://u:${percent(text)}@h/`), quoted).to.equal('no login "***" here');
      }),
      { numRuns: 2_000 },
    );
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

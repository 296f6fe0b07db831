import { expect } from 'chai';

import { parseApiKey, printApiKey } from '../../../../../shared/domain/access/api-key.js';

const SECRET = '0123456789abcdef'.repeat(4);

describe('parseApiKey', () => {
  it('reads what printApiKey has written', () => {
    for (const id of ['abcd', 'a1b2', '0123456789abcdef']) expect(parseApiKey(printApiKey({ id, secret: SECRET }))).to.deep.equal({ id, secret: SECRET });
  });

  for (const text of ['', 'krs__', `krs_abc_${SECRET}`, `krs_${'a'.repeat(17)}_${SECRET}`, `krs_ABCD_${SECRET}`, `krs_abcd_${SECRET.toUpperCase()}`, `krs_abcd_${SECRET}0`, `krs_abcd_${SECRET.slice(1)}`, ` krs_abcd_${SECRET}`, `krs_abcd_${SECRET}\n`, `xkrs_abcd_${SECRET}`, `krs_ab_cd_${SECRET}`]) {
    it(`takes ${JSON.stringify(text.slice(0, 30))} for no key`, () => {
      expect(parseApiKey(text)).to.equal(undefined);
    });
  }
});

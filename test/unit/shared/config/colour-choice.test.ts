import { expect } from 'chai';

import { colourChoice } from '../../../../shared/config/colour-choice.js';

describe('colourChoice', () => {
  const cases: readonly (readonly [env: Readonly<Record<string, string>>, choice: ReturnType<typeof colourChoice>])[] = [
    [{}, 'auto'],
    [{ TERM: 'xterm-256color' }, 'auto'],
    [{ TERM: 'dumb' }, 'never'],
    [{ NO_COLOR: '1' }, 'never'],
    [{ NO_COLOR: '' }, 'auto'],
    [{ FORCE_COLOR: '1' }, 'always'],
    [{ FORCE_COLOR: '' }, 'always'],
    [{ FORCE_COLOR: '0' }, 'never'],
    [{ FORCE_COLOR: 'false' }, 'never'],
    [{ FORCE_COLOR: '1', NO_COLOR: '1', TERM: 'dumb' }, 'always'],
  ];
  for (const [env, choice] of cases) {
    it(`${JSON.stringify(env)} means ${choice}`, () => {
      expect(colourChoice(env)).to.equal(choice);
    });
  }
});

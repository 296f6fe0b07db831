import { expect } from 'chai';

import { printActor, type Actor } from '../../../../shared/domain/actor.js';

describe('printActor', () => {
  const cases: readonly (readonly [actor: Actor, printed: string])[] = [
    [{ type: 'anonymous', id: null, name: null, operator: null }, 'an operator'],
    [{ type: 'anonymous', id: null, name: null, operator: 'Anna' }, 'Anna'],
    [{ type: 'key', id: 'ab12', name: 'deploy-bot', operator: 'Anna' }, 'Anna (key deploy-bot)'],
    [{ type: 'key', id: 'ab12', name: 'deploy-bot', operator: null }, 'key deploy-bot'],
    [{ type: 'session', id: 'ab12', name: null, operator: null }, 'session ab12'],
  ];
  for (const [actor, printed] of cases) {
    it(`of ${JSON.stringify(actor)} is ${printed}`, () => {
      expect(printActor(actor)).to.equal(printed);
    });
  }
});

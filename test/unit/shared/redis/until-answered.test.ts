import { expect } from 'chai';

import { untilAnswered } from '../../../../shared/redis/until-answered.js';
import { eventually } from '../../../support/eventually.js';

describe('untilAnswered', () => {
  const away = new Error('Too many Cluster redirections. Last error: Error: Connection is closed.');
  const said: string[] = [];
  const options = { what: 'a part', onWait: (what: string): void => void said.push(what), isStopped: () => false, toldAfterMs: 1 };
  beforeEach(() => { said.length = 0; });

  it('asks again while Redis is away, and says once what for', async () => {
    let asked = 0;
    const ask = async (): Promise<number> => {
      asked += 1;
      if (asked < 3) throw away;
      return asked;
    };
    expect(await untilAnswered(ask, options)).to.equal(3);
    expect(said).to.deep.equal(['a part']);
  });

  it('says so of a Redis that is silent, too', async () => {
    let answer: (value: string) => void = () => undefined;
    const answered = untilAnswered(() => new Promise<string>((resolve) => { answer = resolve; }), options);
    await eventually(() => { expect(said).to.deep.equal(['a part']); });
    answer('it is back');
    expect(await answered).to.equal('it is back');
  });

  it('ends with what is no outage, and when it is told to stop', async () => {
    const bug = new TypeError('no outage');
    const failed = async (error: Error, isStopped = false): Promise<unknown> => untilAnswered(() => Promise.reject(error), { ...options, isStopped: () => isStopped }).catch((reason: unknown) => reason);
    expect(await failed(bug)).to.equal(bug);
    expect(await failed(away, true)).to.equal(away);
  });
});

import { expect } from 'chai';

import { VersionTeller } from '../../../../server/access/version-teller.js';

/** Shards that answer when the test says so. */
class Marks {
  readonly told: string[] = [];
  readonly #waiting: ((isTold: boolean) => void)[] = [];
  readonly #heard: (() => void)[] = [];

  tell(version: string): Promise<boolean> {
    this.told.push(version);
    const answered = new Promise<boolean>((resolve) => { this.#waiting.push(resolve); });
    this.#heard.shift()?.();
    return answered;
  }

  /** It answers the round that is there, or the next one. */
  async answer(isTold: boolean): Promise<void> {
    if (this.#waiting.length === 0) await new Promise<void>((resolve) => { this.#heard.push(resolve); });
    this.#waiting.shift()?.(isTold);
  }
}

describe('versions that are told to the marks', () => {
  it('are told one round after the other, and those that come meanwhile share the next one', async () => {
    const marks = new Marks();
    const teller = new VersionTeller(() => marks);
    const begunAt = performance.now();
    const first = teller.tell(1);
    const answered = marks.answer(true);
    await answered;
    expect(await first).to.equal(true);
    const [second, ...others] = [2, 3, 4, 3].map((version) => teller.tell(version));
    await marks.answer(true);
    expect(await Promise.all([second, ...others])).to.deep.equal([true, true, true, true]);
    expect(marks.told).to.deep.equal(['1', '4']);
    expect(performance.now() - begunAt, 'twenty rounds a second').to.be.at.least(49);
  });

  it('wait for another round where one is under way', async () => {
    const marks = new Marks();
    const teller = new VersionTeller(() => marks);
    const first = teller.tell(1);
    await marks.answer(true);
    const second = teller.tell(2);
    await first;
    const begun = marks.answer(true);
    await begun;
    expect(await second).to.equal(true);
    expect(marks.told).to.deep.equal(['1', '2']);
  });

  it('are told once, and again where too few marks were there', async () => {
    const marks = new Marks();
    const teller = new VersionTeller(() => marks);
    const first = teller.tell(5);
    await marks.answer(false);
    expect(await first).to.equal(false);
    const again = teller.tell(5);
    await marks.answer(true);
    expect(await again).to.equal(true);
    expect([await teller.tell(5), await teller.tell(4)]).to.deep.equal([true, true]);
    expect(marks.told).to.deep.equal(['5', '5']);
  });

  it('count as untold while no shard is open, and as told where there are none', async () => {
    expect(await new VersionTeller(() => { throw new Error('closed'); }).tell(1)).to.equal(false);
    expect(await new VersionTeller(() => undefined).tell(1)).to.equal(true);
  });
});

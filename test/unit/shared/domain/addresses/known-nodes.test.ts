import { expect } from 'chai';

import { KnownNodes } from '../../../../../shared/domain/addresses/known-nodes.js';

/** Ways to write this machine, whatever its own addresses are. */
const LOOPBACK = ['127.0.0.1', '127.8.0.1', '::1', '0.0.0.0', '::', '::ffff:127.0.0.1'];
const PORT = 6_379;

describe('the nodes that are known', () => {
  /** The addresses of this machine as it tells them: none in a sandbox that refuses to, and none of an interface that is down. */
  let own: string[];
  let asked: number;
  let nodes: KnownNodes;
  beforeEach(() => {
    [own, asked] = [[], 0];
    nodes = new KnownNodes(() => {
      asked += 1;
      return own;
    });
  });
  const found = (): string[] => LOOPBACK.filter((address) => nodes.has(address, PORT));

  it('are at every loopback address when this machine says that their address is its own, and at no other port', () => {
    own = ['127.0.0.1', '10.0.0.5'];
    nodes.remember('10.0.0.5', PORT);
    expect(found()).to.deep.equal(LOOPBACK);
    expect(['10.0.0.5', '::ffff:10.0.0.5'].map((address) => nodes.has(address, PORT))).to.deep.equal([true, true]);
    expect([nodes.has('127.0.0.1', 6_380), nodes.has('10.0.0.6', PORT)]).to.deep.equal([false, false]);
  });

  for (const [address, local] of [['10.0.0.5', '10.0.0.5'], ['172.17.0.1', '172.17.0.1'], ['fd00::5', 'fd00::5'], ['::ffff:10.0.0.5', '::ffff:10.0.0.5']] as const) {
    it(`are at every loopback address when a connection to ${address} comes from that address, although this machine does not name it`, () => {
      nodes.remember(address, PORT, local);
      expect(found()).to.deep.equal(LOOPBACK);
    });

    it(`are there also when ${address} was known before there was a connection`, () => {
      nodes.remember(address, PORT);
      expect(found()).to.deep.equal([]);
      nodes.remember(address, PORT, local);
      expect(found()).to.deep.equal(LOOPBACK);
      nodes.remember(address, PORT, '10.9.9.9');
      nodes.remember(address, PORT);
      expect(found(), 'for good').to.deep.equal(LOOPBACK);
    });
  }

  it('are there once this machine has the address: its interface came up later', () => {
    nodes.remember('172.17.0.1', PORT);
    own = ['172.17.0.1'];
    nodes.lookForOwn();
    expect(found()).to.deep.equal(LOOPBACK);
  });

  it('are not at a loopback address when they are on another machine', () => {
    own = ['127.0.0.1', '10.0.0.6'];
    nodes.remember('10.0.0.5', PORT);
    nodes.remember('10.0.0.5', PORT, '10.0.0.6');
    nodes.lookForOwn();
    expect([nodes.has('10.0.0.5', PORT), found()]).to.deep.equal([true, []]);
  });

  it('are 2,000 at most, and one of them that is on this machine is still told', () => {
    for (let nth = 0; nth < 2_000; nth += 1) nodes.remember(`10.1.${nth >> 8}.${nth & 255}`, PORT);
    nodes.remember('10.2.0.0', PORT, '10.2.0.0');
    expect([nodes.has('10.1.7.207', PORT), nodes.has('10.2.0.0', PORT), found()]).to.deep.equal([true, false, []]);
    nodes.remember('10.1.0.0', PORT, '10.1.0.0');
    expect(found()).to.deep.equal(LOOPBACK);
  });

  it('cost no question to this machine when they are known', () => {
    nodes.remember('10.0.0.5', PORT);
    for (let nth = 0; nth < 10; nth += 1) nodes.remember('10.0.0.5', PORT, '10.0.0.6');
    expect(asked).to.equal(1);
    nodes.lookForOwn();
    expect(asked).to.equal(2);
  });
});

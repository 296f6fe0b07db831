import { expect } from 'chai';

import { GuessPace } from '../../../../../shared/domain/access/guess-pace.js';
import { peerBucketOf } from '../../../../../shared/domain/access/peer-bucket.js';

describe('GuessPace', () => {
  it('answers twenty wrong keys of an address at once, then ten a second, and refuses what would wait for more than two seconds', () => {
    const pace = new GuessPace(10);
    const waits = Array.from({ length: 50 }, () => pace.wrong('192.0.2.1', 1_000));
    expect(waits.slice(0, 20)).to.deep.equal(Array.from({ length: 20 }, () => 0));
    expect(waits.slice(20, 40)).to.deep.equal(Array.from({ length: 20 }, (_, nth) => 100 * (nth + 1)));
    expect(waits.slice(40)).to.deep.equal(Array.from({ length: 10 }, () => undefined));
    expect(pace.wrong('192.0.2.2', 1_000), 'another address').to.equal(0);
  });

  it('forgets them with time: what is refused does not prolong it', () => {
    const pace = new GuessPace(10);
    for (let nth = 0; nth < 1_000; nth += 1) pace.wrong('a', 5_000);
    expect(pace.wrong('a', 5_000)).to.equal(undefined);
    expect(pace.wrong('a', 5_100)).to.equal(2_000);
    expect(pace.wrong('a', 60_000)).to.equal(0);
  });

  it('remembers a bounded number of addresses', () => {
    const pace = new GuessPace(10);
    for (let nth = 0; nth < 40; nth += 1) pace.wrong('first', 0);
    for (let nth = 0; nth < 10_000; nth += 1) pace.wrong(`other ${nth}`, 0);
    expect(pace.wrong('first', 0), 'it was silent for longest').to.equal(0);
    expect(pace.wrong('other 9999', 0)).to.equal(0);
  });
});

describe('peerBucketOf', () => {
  const table = [
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['::FFFF:192.0.2.1', '192.0.2.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2::9', '2001:db8:1:2::/64'],
    ['2001:db8::1:2:3', '2001:db8:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    [undefined, 'unknown'],
  ] as const;
  for (const [address, bucket] of table) it(`counts ${String(address)} under ${bucket}`, () => { expect(peerBucketOf(address)).to.equal(bucket); });
});

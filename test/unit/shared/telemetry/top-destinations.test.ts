import { expect } from 'chai';

import { topDestinations } from '../../../../shared/telemetry/top-destinations.js';

describe('topDestinations', () => {
  it('shows the 50 highest, and the sum of the rest', () => {
    const values = new Map(Array.from({ length: 60 }, (_, nth) => [`https://host-${nth}`, nth + 1]));
    const shown = topDestinations(values);
    expect(shown).to.have.lengthOf(51);
    expect(shown[0]).to.deep.equal(['https://host-59', 60]);
    expect(shown[49]).to.deep.equal(['https://host-10', 11]);
    expect(shown[50]).to.deep.equal(['other', 55]);
  });

  it('always has the rest, which is 0 without any destination', () => {
    expect(topDestinations(new Map())).to.deep.equal([['other', 0]]);
    expect(topDestinations(new Map([['https://a', 2]]))).to.deep.equal([['https://a', 2], ['other', 0]]);
  });

  it('chooses among equal ones by name, so that two scrapes show the same', () => {
    const values = Array.from({ length: 60 }, (_, nth) => [`https://${nth + 100}`, 1] as const);
    expect(topDestinations(new Map([...values].reverse()))).to.deep.equal(topDestinations(new Map(values)));
    expect(topDestinations(new Map(values))[0]).to.deep.equal(['https://100', 1]);
  });
});

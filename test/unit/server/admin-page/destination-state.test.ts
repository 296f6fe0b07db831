import { expect } from 'chai';

import { isWhereItWent, placeOfDestination } from '../../../../server/admin-page/state/destination-place.js';
import { stateOfTraffic } from '../../../../server/admin-page/state/destination-state.js';

describe('the state of a destination on the page', () => {
  const cases: readonly (readonly [delivered: number, failed: number, inFlight: number, limits: object | null, workers: number | null, text: string])[] = [
    [3, 0, 0, null, 2, 'ok sending'],
    [3, 9, 0, null, 2, 'ok sending'],
    [0, 0, 1, null, 2, 'delivering sending'],
    [0, 9, 1, null, 2, 'retrying all fail'],
    [0, 9, 0, {}, 2, 'retrying all fail'],
    [3, 0, 0, {}, 2, 'limited limited'],
    [0, 0, 0, null, 2, 'idle idle'],
    [0, 0, 0, null, null, 'idle idle'],
    [3, 0, 0, null, 0, 'idle no worker'],
  ];
  for (const [delivered, failed, inFlight, limits, workers, text] of cases) {
    it(`is ${text} with ${delivered} delivered, ${failed} failed, ${inFlight} in flight, ${limits === null ? 'no ' : ''}limits and ${workers} workers`, () => {
      const state = stateOfTraffic({ delivered, failed, in_flight: inFlight, limits }, workers);
      expect(`${state.kind} ${state.text}`).to.equal(text);
    });
  }
});

describe('where a task goes', () => {
  it('is shown as it was handed over, with the key of its view', () => {
    expect(placeOfDestination('http', { url: 'https://a.example/x?...', method: 'PUT' })).to.deep.equal({ text: 'https://a.example/x?...', key: 'https://a.example' });
    expect(placeOfDestination('kafka', { topic: 'orders' }).key).to.equal('kafka://default/orders');
    expect(placeOfDestination('kafka', { topic: 'orders', host: 'b', port: 9092 }).key).to.equal('kafka://b:9092/orders');
    expect(placeOfDestination('newer', { queue: 'q' })).to.deep.equal({ text: '{"queue":"q"}', key: undefined });
  });

  it('puts nothing but its host into an address: the path, the query and the login may be secrets', () => {
    for (const url of ['https://hooks.slack.com/services/T0/B0/XXXX', 'https://hooks.slack.com/?token=abc', 'https://user:***@hooks.slack.com/x#y', 'https://HOOKS.slack.com:443']) {
      expect(placeOfDestination('http', { url })).to.deep.equal({ text: url, key: 'https://hooks.slack.com' });
    }
    expect(placeOfDestination('http', { url: '(not a url)' }).key).to.equal(undefined);
  });

  it('is not where its dead letter went, when it was edited since', () => {
    const [before, then, since] = ['2026-11-30T11:00:00.000Z', '2026-11-30T12:00:00.000Z', '2026-11-30T12:00:00.001Z'] as const;
    const edit = (at: string) => ({ kind: 'edited', edited_at: at }) as const;
    expect(isWhereItWent({ finished_at: then, timeline: [edit(before)] })).to.equal(true);
    expect(isWhereItWent({ finished_at: then, timeline: [edit(before), edit(since)] })).to.equal(false);
  });
});

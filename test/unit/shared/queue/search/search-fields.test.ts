import { expect } from 'chai';
import fc from 'fast-check';

import type { Destination } from '../../../../../shared/domain/destinations/destination.js';
import { defaultPathMask } from '../../../../../shared/domain/destinations/path-mask.js';
import { flowOf } from '../../../../../shared/domain/flow/flow-key.js';
import { packSearchFields, searchFieldsOf, unpackSearchFields, type SearchFields } from '../../../../../shared/queue/search/search-fields.js';
import { domainTask } from '../../../../support/tasks.js';

/** What the schema lets through: anything but control characters. */
const legalText = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 60 }).filter((value) => !/\p{Cc}/u.test(value));
const destination: fc.Arbitrary<Destination> = fc.oneof(
  fc.webUrl({ withQueryParameters: true, withFragments: true }).map((url) => ({ type: 'http' as const, url })),
  fc.record({
    type: fc.constant('kafka' as const),
    broker: fc.option(fc.record({ host: fc.oneof(fc.domain(), fc.ipV4(), fc.ipV6()), port: fc.integer({ min: 1, max: 65_535 }) }), { nil: undefined }),
    topic: fc.stringMatching(/^[A-Za-z0-9._-]{1,60}$/),
    key: fc.constant(undefined),
    headers: fc.constant(undefined),
  }),
);
const flowKey = fc.option(fc.oneof(legalText, fc.webUrl(), fc.domain().map((host) => `kafka://${host.toUpperCase()}:9092/orders`)), { nil: undefined });
const tasks = fc.record({ clientId: legalText, source: legalText, destination, flowKey }).map((changes) => domainTask(changes));

describe('search fields', () => {
  it('give back what was packed, of any task that can be submitted', () => {
    fc.assert(
      fc.property(tasks, fc.nat(), (task, messageBytes) => {
        const fields = searchFieldsOf(task, messageBytes, defaultPathMask);
        const packed = packSearchFields(fields);
        expect(packed).to.be.a('string');
        expect(unpackSearchFields(packed ?? '')).to.deep.equal(fields);
        expect(fields).to.include({ clientId: task.clientId, source: task.source, flowKey: task.flowKey, messageBytes, destinationType: task.destination.type });
        const { key, host } = flowOf(task.destination, task.flowKey);
        expect(fields.host).to.equal(host);
        if (task.flowKey !== undefined) expect(fields.flowName ?? fields.flowKey).to.equal(key);
      }),
    );
  });

  const samples: readonly (readonly [Destination, string | undefined, Partial<SearchFields>])[] = [
    [{ type: 'http', url: 'HTTPS://user:pw@API.example.com:443/Orders?token=1#x' }, undefined, { destinationType: 'http', host: 'https://api.example.com', path: '/Orders' }],
    [{ type: 'http', url: 'http://api.example.com:80' }, undefined, { host: 'http://api.example.com', path: '/' }],
    [{ type: 'http', url: 'no url at all' }, undefined, { host: 'http://invalid', path: '' }],
    [{ type: 'kafka', broker: undefined, topic: 'orders', key: 'k', headers: undefined }, undefined, { destinationType: 'kafka', host: 'kafka://default', path: '/orders' }],
    [{ type: 'kafka', broker: { host: 'Broker-1', port: 9092 }, topic: 'Orders', key: undefined, headers: undefined }, undefined, { host: 'kafka://broker-1:9092', path: '/Orders' }],
    [{ type: 'http', url: 'http://a/' }, 'tenant-7', { flowKey: 'tenant-7', flowName: undefined }],
    [{ type: 'http', url: 'http://a/' }, 'https://API.example.com/x', { flowKey: 'https://API.example.com/x', flowName: 'https://api.example.com/x' }],
  ];
  for (const [to, key, expected] of samples) {
    it(`of ${JSON.stringify(to)} with flow_key ${String(key)} name its host and path in one spelling`, () => {
      const { host, path, destinationType, flowKey: ofKey, flowName } = searchFieldsOf(domainTask({ destination: to, flowKey: key }), 3, defaultPathMask);
      expect({ host, path, destinationType, flowKey: ofKey, flowName }).to.include(expected);
    });
  }

  it('are one short text: version, then values in a fixed order', () => {
    const task = domainTask({ clientId: 'acme', source: 'shop', destination: { type: 'http', url: 'http://a/hook' }, flowKey: 'tenant-7' });
    expect(packSearchFields(searchFieldsOf(task, 512, defaultPathMask))).to.equal('1acme\x1fshop\x1fhttp\x1fhttp://a\x1f/hook\x1ftenant-7\x1f\x1f512');
  });

  it('are not made of a task with a control character in a name: its values could not be told apart', () => {
    expect(packSearchFields(searchFieldsOf(domainTask({ source: 'a\x1fb' }), 1, defaultPathMask))).to.equal(undefined);
  });

  it('of a newer version are left alone, and values that a later one appends are skipped', () => {
    expect(unpackSearchFields('2acme\x1fshop\x1fhttp\x1fhttp://a\x1f/hook\x1f\x1f\x1f512')).to.equal(undefined);
    expect(unpackSearchFields('1acme\x1fshop\x1fhttp\x1fhttp://a\x1f/hook\x1f\x1f\x1f512\x1fordering')).to.include({ clientId: 'acme', messageBytes: 512 });
    expect(unpackSearchFields('1acme')).to.equal(undefined);
  });
});

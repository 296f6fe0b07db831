import { expect } from 'chai';

import { isLimited, policyOf, type FlowPolicy } from '../../../../../shared/domain/flow/flow-policy.js';

describe('policyOf', () => {
  const cases: readonly (readonly [name: string, ofKey: FlowPolicy | undefined, ofHost: FlowPolicy | undefined, expected: ReturnType<typeof policyOf>])[] = [
    ['nothing was set', undefined, undefined, undefined],
    ['only the key', { maxConcurrency: 5 }, undefined, { name: 'key', policy: { maxConcurrency: 5, isPaused: false } }],
    ['only the host: all keys of it share its limit', undefined, { ratePerSecond: 9 }, { name: 'host', policy: { ratePerSecond: 9, isPaused: false } }],
    ['limits of the key outrank those of the host', { maxConcurrency: 5 }, { maxConcurrency: 1, ratePerSecond: 1 }, { name: 'key', policy: { maxConcurrency: 5, isPaused: false } }],
    ['a paused host pauses a key with limits', { maxConcurrency: 5 }, { isPaused: true }, { name: 'key', policy: { maxConcurrency: 5, isPaused: true } }],
    ['a paused key keeps the limits of its host', { isPaused: true }, { maxConcurrency: 5 }, { name: 'host', policy: { maxConcurrency: 5, isPaused: true } }],
    ['a key that was resumed is still limited by its host', { isPaused: false }, { maxConcurrency: 5 }, { name: 'host', policy: { maxConcurrency: 5, isPaused: false } }],
  ];
  for (const [name, ofKey, ofHost, expected] of cases) {
    it(name, () => {
      const byName = new Map([...(ofKey === undefined ? [] : [['key', ofKey] as const]), ...(ofHost === undefined ? [] : [['host', ofHost] as const])]);
      expect(policyOf(byName, { key: 'key', endpoint: 'key', host: 'host' })).to.deep.equal(expected);
    });
  }

  it('of a flow_key takes the limits of its endpoint before those of the host, and is paused with each of its names', () => {
    const names = { key: 'tenant-7', endpoint: 'https://a/x', host: 'https://a' };
    const limits = { 'https://a/x': { maxConcurrency: 2 }, 'https://a': { maxConcurrency: 5 } };
    expect(policyOf(new Map<string, FlowPolicy>(Object.entries(limits)), names)).to.deep.equal({ name: 'https://a/x', policy: { maxConcurrency: 2, isPaused: false } });
    for (const name of Object.values(names)) {
      const policy = policyOf(new Map<string, FlowPolicy>([...Object.entries(limits), [name, { isPaused: true }]]), names)?.policy;
      expect(policy?.isPaused, name).to.equal(true);
    }
  });

  it('of a flow whose key is its host is what was set for it', () => {
    expect(policyOf(new Map([['a', { isPaused: true }]]), { key: 'a', endpoint: 'a', host: 'a' })).to.deep.equal({ name: 'a', policy: { isPaused: true } });
  });
});

describe('isLimited', () => {
  it('is what needs a permission for each send', () => {
    const policies: (FlowPolicy | undefined)[] = [undefined, {}, { isPaused: true }, { burst: 5 }, { maxConcurrency: 1 }, { ratePerSecond: 0.1 }];
    expect(policies.map(isLimited)).to.deep.equal([false, false, false, false, true, true]);
  });
});

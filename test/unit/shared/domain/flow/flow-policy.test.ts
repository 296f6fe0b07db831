import { expect } from 'chai';

import { endOfPause, isLimited, limitsOver, namesOver, pauseOver, policyAt, policyOf, type FlowPolicy } from '../../../../../shared/domain/flow/flow-policy.js';

const flow = { key: 'key', endpoint: 'endpoint', host: 'host' };

function byName(policies: Readonly<Record<string, FlowPolicy>>): ReadonlyMap<string, FlowPolicy> {
  return new Map(Object.entries(policies));
}

describe('policyOf', () => {
  const cases: readonly (readonly [title: string, policies: Readonly<Record<string, FlowPolicy>>, expected: ReturnType<typeof policyOf>])[] = [
    ['nothing was set', {}, undefined],
    ['nothing was set for it', { other: { isPaused: true } }, undefined],
    ['only the key', { key: { maxConcurrency: 5 } }, { name: 'key', policy: { maxConcurrency: 5, isPaused: false } }],
    ['only the host: all keys of it share its limit', { host: { ratePerSecond: 9 } }, { name: 'host', policy: { ratePerSecond: 9, isPaused: false } }],
    ['only everything: all that has no nearer limit shares its limit', { '*': { ratePerSecond: 9 } }, { name: '*', policy: { ratePerSecond: 9, isPaused: false } }],
    ['limits of the key outrank those of the host', { key: { maxConcurrency: 5 }, host: { maxConcurrency: 1, ratePerSecond: 1 } }, { name: 'key', policy: { maxConcurrency: 5, isPaused: false } }],
    ['limits of the key outrank those of the endpoint', { key: { maxConcurrency: 5 }, endpoint: { ratePerSecond: 1 } }, { name: 'key', policy: { maxConcurrency: 5, isPaused: false } }],
    ['limits of the endpoint outrank those of the host', { endpoint: { maxConcurrency: 5 }, host: { ratePerSecond: 1 } }, { name: 'endpoint', policy: { maxConcurrency: 5, isPaused: false } }],
    ['a paused endpoint pauses a key with limits', { key: { maxConcurrency: 5 }, endpoint: { isPaused: true } }, { name: 'key', policy: { maxConcurrency: 5, isPaused: true } }],
    ['limits of the host outrank those of everything', { host: { maxConcurrency: 5 }, '*': { ratePerSecond: 1 } }, { name: 'host', policy: { maxConcurrency: 5, isPaused: false } }],
    ['a paused host pauses a key with limits', { key: { maxConcurrency: 5 }, host: { isPaused: true } }, { name: 'key', policy: { maxConcurrency: 5, isPaused: true } }],
    ['a pause of everything pauses a key with limits', { key: { maxConcurrency: 5 }, '*': { isPaused: true } }, { name: 'key', policy: { maxConcurrency: 5, isPaused: true } }],
    ['a pause of everything pauses what nothing was set for', { '*': { isPaused: true } }, { name: 'key', policy: { isPaused: true } }],
    ['a paused key keeps the limits of its host', { key: { isPaused: true, pause: { since: 1 } }, host: { maxConcurrency: 5 } }, { name: 'host', policy: { maxConcurrency: 5, isPaused: true } }],
    ['a key that was resumed is still limited by its host', { key: { isPaused: false }, host: { maxConcurrency: 5 } }, { name: 'host', policy: { maxConcurrency: 5, isPaused: false } }],
  ];
  for (const [title, policies, expected] of cases) {
    it(title, () => {
      expect(policyOf(byName(policies), flow)).to.deep.equal(expected);
    });
  }
});

describe('policyOf a task without a flow_key, and of one that is only counted under its host', () => {
  it('is what was set for the one name', () => {
    for (const isPaused of [true, false]) {
      expect(policyOf(byName({ a: { maxConcurrency: 1, isPaused } }), { key: 'a', endpoint: 'a', host: 'a' })).to.deep.equal({ name: 'a', policy: { maxConcurrency: 1, isPaused } });
    }
  });
});

describe('policyOf a task whose flow_key is *, which older versions took', () => {
  const star = { key: '*', endpoint: 'endpoint', host: 'host' };
  const limits = byName({ '*': { ratePerSecond: 500 }, host: { maxConcurrency: 1 } });

  it('is that of its endpoint and host, as for a task without a flow_key', () => {
    expect(policyOf(limits, star)).to.deep.equal({ name: 'host', policy: { maxConcurrency: 1, isPaused: false } });
    expect(limitsOver(limits, namesOver(star))).to.deep.equal({ name: 'host', limits: { maxConcurrency: 1 } });
  });

  it('is that of everything where nothing nearer has limits, and a pause of everything holds it', () => {
    expect(policyOf(byName({ '*': { ratePerSecond: 500, isPaused: true } }), star)).to.deep.equal({ name: '*', policy: { ratePerSecond: 500, isPaused: true } });
  });
});

describe('what holds for several names', () => {
  const policies = byName({ a: { isPaused: true, pause: { since: 1 } }, b: { maxConcurrency: 1 }, c: { isPaused: true, ratePerSecond: 2 } });

  it('is the pause of the first that is paused', () => {
    expect(pauseOver(policies, ['b', 'a', 'c'])).to.deep.equal({ name: 'a', pause: { since: 1 } });
    expect(pauseOver(policies, ['c', 'a']), 'without details').to.deep.equal({ name: 'c', pause: {} });
    expect(pauseOver(policies, ['b'])).to.equal(undefined);
  });

  it('is the limits of the first that has some', () => {
    expect(limitsOver(policies, ['a', 'c', 'b'])).to.deep.equal({ name: 'c', limits: { ratePerSecond: 2 } });
    expect(limitsOver(policies, ['a'])).to.equal(undefined);
  });
});

describe('a pause that has an end', () => {
  const policy: FlowPolicy = { maxConcurrency: 1, isPaused: true, pause: { since: 1, until: 1_000 } };

  it('holds before its end, and not from then on', () => {
    expect(policyAt(policy, 999)).to.equal(policy);
    expect(policyAt(policy, 1_000)).to.deep.equal({ maxConcurrency: 1 });
    expect(policyAt({ isPaused: true, pause: { until: 1_000 } }, 1_000), 'nothing is left').to.equal(undefined);
  });

  it('is told from others', () => {
    expect([policy, { isPaused: true }, { pause: { until: 1_000 } }, undefined].map(endOfPause)).to.deep.equal([1_000, undefined, undefined, undefined]);
    expect(policyAt({ isPaused: true }, 1_000)).to.deep.equal({ isPaused: true });
    expect(policyAt({ pause: { since: 1 } }, 1_000), 'a version that clears the flag alone has resumed it').to.equal(undefined);
  });
});

describe('isLimited', () => {
  it('is what needs a permission for each send', () => {
    const policies: (FlowPolicy | undefined)[] = [undefined, {}, { isPaused: true }, { burst: 5 }, { maxConcurrency: 1 }, { ratePerSecond: 0.1 }];
    expect(policies.map(isLimited)).to.deep.equal([false, false, false, false, true, true]);
  });
});

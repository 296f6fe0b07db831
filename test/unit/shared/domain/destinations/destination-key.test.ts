import { expect } from 'chai';

import { destinationKey } from '../../../../../shared/domain/destinations/destination-key.js';
import type { Destination } from '../../../../../shared/domain/destinations/destination.js';
import { createPathMask, defaultPathMask } from '../../../../../shared/domain/destinations/path-mask.js';
import { defaultBrokersOf } from '../../../../../shared/domain/flow/flow-key.js';

const defaultBrokers = defaultBrokersOf([{ host: 'broker-1', port: 9092 }]);
const http = (url: string): Destination => ({ type: 'http', url });
const kafka = (host?: string): Destination => ({ type: 'kafka', broker: host === undefined ? undefined : { host, port: 9092 }, topic: 'orders', key: 'k', headers: { token: 'secret' } });

describe('destinationKey', () => {
  const cases: readonly (readonly [destination: Destination, key: string])[] = [
    [http('https://user:password@API.example.com:443/orders?token=1#x'), 'https://api.example.com/orders'],
    [http('http://api.example.com:8080'), 'http://api.example.com:8080/'],
    [http('https://hooks.example.com/T1/a1b2c3d4e5f6g7h8i9j0'), 'https://hooks.example.com/T1/*10ee68888777ddca9eee1b40378c22d1'],
    [kafka(), 'kafka://default/orders'],
    [kafka('Broker-1'), 'kafka://default/orders'],
    [kafka('broker-2'), 'kafka://broker-2:9092/orders'],
  ];
  for (const [destination, key] of cases) {
    it(`of ${JSON.stringify(destination)} is ${key}`, () => {
      expect(destinationKey(destination, defaultPathMask, defaultBrokers)).to.equal(key);
    });
  }

  it('shows nothing of a path on a host whose paths are secret', () => {
    expect(destinationKey(http('https://api.example.com/T1/'), createPathMask(['api.example.com']), defaultBrokers)).to.equal('https://api.example.com/*1f93603db53bfad5c92390f735d0cbb8/');
  });
});

import { expect } from 'chai';

import { createClusterFinder } from '../../../../shared/kafka/cluster-identity.js';
import { TlsClient } from '../../../../shared/tls/tls-client.js';

const secure = new TlsClient();
const credentials = { mechanism: 'plain', username: 'u', password: 'p' } as const;
const clusterOf = createClusterFinder({ defaultBrokers: ['Kafka-1:9092', '[::1]:9093'], credentials, tls: secure });

describe('createClusterFinder', () => {
  const ours = [
    undefined,
    { host: 'Kafka-1', port: 9092 },
    { host: 'kafka-1', port: 9092 },
    { host: 'KAFKA-1', port: 9092 },
    { host: '::1', port: 9093 },
    { host: '[::1]', port: 9093 },
  ];
  for (const broker of ours) {
    it(`takes ${broker === undefined ? 'no broker' : `${broker.host}:${broker.port}`} for the default cluster, with its credentials and TLS`, () => {
      expect(clusterOf(broker)).to.deep.equal({
        name: 'default',
        bootstrap: [{ host: 'Kafka-1', port: 9092 }, { host: '::1', port: 9093 }],
        isOfOperator: true,
        identity: '',
        credentials,
        tls: secure,
      });
    });
  }

  const foreign = [
    { host: 'kafka-1', port: 9093 },
    { host: 'kafka-1.', port: 9092 },
    { host: 'kafka-10', port: 9092 },
    { host: '10.0.0.1', port: 9092 },
    { host: 'default', port: 1 },
  ];
  for (const broker of foreign) {
    it(`takes ${broker.host}:${broker.port} for another one, without credentials and TLS`, () => {
      expect(clusterOf(broker)).to.deep.equal({
        name: `${broker.host}:${broker.port}`,
        bootstrap: [broker],
        isOfOperator: false,
        identity: '',
        credentials: undefined,
        tls: undefined,
      });
    });
  }

  it('gives every spelling of another cluster the same name', () => {
    expect(clusterOf({ host: 'Other', port: 1 }).name).to.equal(clusterOf({ host: 'oTHER', port: 1 }).name);
  });

  it('refuses a configuration it cannot read', () => {
    expect(() => createClusterFinder({ defaultBrokers: [], tls: undefined })).to.throw('empty');
    expect(() => createClusterFinder({ defaultBrokers: ['kafka-1'], tls: undefined })).to.throw('not host:port');
  });
});

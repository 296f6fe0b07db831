import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';

import { digestOf, imagesIn, withDigest } from '../../../scripts/images/image-digest.mjs';
import { readText } from '../docs/repository-file.js';

const DIGEST = `sha256:${'4f'.repeat(32)}`;

describe('digests of images', () => {
  it('are asked for each image that this repository names with a tag', () => {
    // Distroless has no tags of versions: a digest alone says which image runs.
    expect(readText('docs/OPERATIONS.md')).to.include('npm run images:pin -- --write');
    expect(imagesIn(readText('Dockerfile')).map((image) => image.split(':')[0])).to.deep.equal(['node', 'gcr.io/distroless/nodejs24-debian12']);
    expect(imagesIn(readText('docker-compose.yml')).map((image) => image.split(':')[0])).to.deep.equal(['redis', 'apache/kafka', 'prom/prometheus', 'grafana/grafana']);
    expect(imagesIn(readText('deploy/helm/kafka-retry/values.yaml')).map((image) => image.split(':')[0])).to.deep.equal(['redis']);
  });

  it('are written behind the tag, once', () => {
    const text = 'services:\n  redis:\n    image: redis:7\n  other:\n    image: redis:7.4\n';
    const pinned = withDigest(text, 'redis:7', DIGEST);
    expect(pinned).to.equal(`services:\n  redis:\n    image: redis:7@${DIGEST}\n  other:\n    image: redis:7.4\n`);
    expect(withDigest(pinned, 'redis:7', DIGEST)).to.equal(pinned);
    expect(imagesIn(pinned)).to.deep.equal(['redis:7', 'redis:7.4']);
  });

  describe('of a registry', () => {
    let registry: Server;
    let address: string;
    before(async () => {
      registry = createServer((request, response) => {
        const { pathname, searchParams } = new URL(request.url ?? '', address);
        if (pathname === '/token') return response.end(JSON.stringify({ token: `for ${String(searchParams.get('scope'))}` }));
        if (request.headers.authorization === undefined) return response.writeHead(401, { 'www-authenticate': `Bearer realm="${address}/token",service="here",scope="repository:${pathname.split('/').slice(2, -2).join('/')}:pull"` }).end();
        const isKnown = pathname === '/v2/library/redis/manifests/7' && request.headers.authorization === 'Bearer for repository:library/redis:pull';
        return response.writeHead(isKnown ? 200 : 404, isKnown ? { 'docker-content-digest': DIGEST } : {}).end();
      });
      registry.listen(0, '127.0.0.1');
      await once(registry, 'listening');
      address = `http://127.0.0.1:${(registry.address() as AddressInfo).port}`;
    });
    after(() => { registry.close(); });

    it('come with the token that it asks for', async () => {
      expect(await digestOf('redis:7', () => address)).to.equal(DIGEST);
    });

    it('fail with its answer for an image that it does not have', async () => {
      const failure = await digestOf('grafana/grafana:0', () => address).then(() => undefined, (error: unknown) => error);
      expect(String(failure)).to.include('docker.io answered with 404');
    });
  });
});

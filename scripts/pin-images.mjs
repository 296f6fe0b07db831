// `npm run images:pin`: asks the registries which digest each image tag of this repository has now, and prints `tag -> digest`. With --write the
// digest is written behind the tag (`redis:7@sha256:...`), in the Dockerfile, docker-compose.yml and the chart's values. A tag can be moved to
// another image, a digest cannot.
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import './install/node-version.mjs';

const { cloneDir } = await import('./install/clone-paths.mjs');
const { digestOf, imagesIn, withDigest } = await import('./images/image-digest.mjs');

const FILES = ['Dockerfile', 'docker-compose.yml', 'deploy/helm/kafka-retry/values.yaml'];
const isWriting = process.argv.includes('--write');
let failures = 0;
for (const file of FILES) {
  let text = readFileSync(path.join(cloneDir, file), 'utf8');
  for (const image of imagesIn(text)) {
    try {
      const digest = await digestOf(image);
      console.log(`${file}: ${image} -> ${digest}`);
      text = withDigest(text, image, digest);
    } catch (error) {
      failures += 1;
      console.error(`${file}: ${image}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  if (isWriting) writeFileSync(path.join(cloneDir, file), text);
}
process.exit(failures === 0 ? 0 : 1);

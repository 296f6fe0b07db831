import { readFileSync } from 'node:fs';
import path from 'node:path';

import { cloneDir } from './clone-paths.mjs';

/**
 * Versions of images stand in the compose file and nowhere else.
 *
 * @param {string} name e.g. "apache/kafka"
 * @returns {{image: string, tag: string}} e.g. {image: "apache/kafka:4.1.0", tag: "4.1.0"}
 */
export function composeImage(name) {
  const compose = readFileSync(path.join(cloneDir, 'docker-compose.yml'), 'utf8');
  const line = compose.split('\n').find((candidate) => candidate.trim().startsWith(`image: ${name}:`));
  if (line === undefined) throw new Error(`docker-compose.yml names no image ${name}`);
  const image = line.trim().slice('image: '.length);
  return { image, tag: image.slice(name.length + 1) };
}

import { createRequire } from 'node:module';

/** The kafkajs whose source was read for the patches and for classify-error.ts. package.json pins the same. */
export const KAFKAJS_VERSION = '2.2.4';

const require = createRequire(import.meta.url);

/** The version of the kafkajs that is installed, such as `2.2.4`. */
export function installedKafkajsVersion(): unknown {
  const { version } = require('kafkajs/package.json') as { version?: unknown };
  return version;
}

/** @returns a way into the files of kafkajs; undefined when it is another one than the patches were written for */
export function requireKnownKafkajs(): NodeJS.Require | undefined {
  return installedKafkajsVersion() === KAFKAJS_VERSION ? require : undefined;
}

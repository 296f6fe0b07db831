/** The kafkajs whose source was read for the patches and for classify-error.ts. package.json pins the same. */
export const KAFKAJS_VERSION = '2.2.4';

/** The requests that a producer sends, by their numbers in the protocol. */
export const apiKey = { produce: 0, metadata: 3, saslHandshake: 17, apiVersions: 18, saslAuthenticate: 36 } as const;
export type ApiKey = (typeof apiKey)[keyof typeof apiKey];

/** Newest version of each request that kafkajs speaks. */
export const newestVersion: Readonly<Record<ApiKey, number>> = {
  [apiKey.produce]: 7,
  [apiKey.metadata]: 6,
  [apiKey.saslHandshake]: 1,
  [apiKey.apiVersions]: 2,
  [apiKey.saslAuthenticate]: 1,
};

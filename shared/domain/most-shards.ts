/** As many as SHARDS may say: each is one more blocking connection of each worker. */
export const MOST_SHARDS = 256;

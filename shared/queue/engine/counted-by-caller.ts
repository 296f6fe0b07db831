/**
 * For a script of ours whose caller gives the number of keys as the first argument. ioredis expects this when a script is
 * defined without a number; BullMQ's type of the same call does not allow it.
 */
export const COUNTED_BY_CALLER = undefined as unknown as number;

/**
 * For a script of ours whose caller says first how many keys there are. ioredis takes the absence of a number for that;
 * BullMQ's type of the same call has no room for it.
 */
export const COUNTED_BY_CALLER = undefined as unknown as number;

import type { IRedisClient, IRedisTransaction } from 'bullmq';

/** The connection of a queue, as BullMQ wraps it, for code that only runs our scripts. */
export type QueueClient = IRedisClient;

/** A MULTI on that connection. */
export type QueueTransaction = IRedisTransaction;

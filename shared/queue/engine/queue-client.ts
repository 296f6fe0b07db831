import type { IRedisClient, IRedisTransaction } from 'bullmq';

/** The connection of a queue, as BullMQ wraps it: for code that runs our scripts and has no other business with BullMQ. */
export type QueueClient = IRedisClient;

/** A MULTI on that connection. */
export type QueueTransaction = IRedisTransaction;

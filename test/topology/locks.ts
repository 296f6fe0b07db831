/**
 * A lock has to outlast a failover of 3 to 5 s, as the default of 30 s does. With the 1 s of the other scenarios, workers that
 * are well lose what they hold again and again on a busy machine: after twelve times a task counted as poison.
 */
export const LOCKS = { LOCK_DURATION: '10s', STALL_CHECK_INTERVAL: '1s' };

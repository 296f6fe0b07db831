/**
 * BullMQ takes the lowest number first. Our priority tasks have 1 and not none: jobs without a priority wait in a list, which cannot
 * be read from a place in it. Older versions have stored priority tasks without one. BullMQ takes what is in that list before all others:
 * these tasks, and those whose worker died.
 */
export const PRIORITY_URGENT = 1;
export const PRIORITY_NORMAL = 10;

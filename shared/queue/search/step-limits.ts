/** Data looked into in one step of a search, bytes. */
export const STEP_BYTES = 4_194_304;
/**
 * A step ends after this time, seconds, however much it has looked at. So it suits any machine, and any mixture of short and long tasks:
 * 1,000 tasks took 2 ms where most of them could be told by one field, and 26 ms on a slower machine where all of them had to be read.
 */
export const STEP_SECONDS = 0.004;
/** The clock is looked at after so many members, and after each 64 KiB of data: it costs 1 us. */
export const CLOCK_EVERY = 16;
export const CLOCK_EVERY_BYTES = 65_536;

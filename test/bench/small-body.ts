/** About 200 bytes, the size of a message that says which order has changed. */
export const SMALL_BODY = JSON.stringify({ order: 4711, text: 'x'.repeat(180) });

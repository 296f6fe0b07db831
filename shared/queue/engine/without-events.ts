/** A name that BullMQ's Lua does not have. */
const IGNORE = 'krsIgnore';

/**
 * Takes BullMQ's events out of one of its scripts. BullMQ writes five or six entries for each task into a stream, for
 * `QueueEvents`. No part of this service reads them, and they were a sixth of Redis' work for a task.
 *
 * A script of another BullMQ may write its events in another way. Then they are written, and nothing breaks.
 *
 * @param lua a whole script, or a part of it
 */
export function withoutEvents(lua: string): string {
  const silent = lua
    .replaceAll('rcall("XADD", ', `${IGNORE}(`)
    .replaceAll('rcall("XTRIM", ', `${IGNORE}(`)
    // The length of the stream is asked for nothing else.
    .replaceAll(/= getOrSetMaxEvents\([a-zA-Z]+\)/g, '= 0');
  return `local function ${IGNORE}() end\n${silent}`;
}

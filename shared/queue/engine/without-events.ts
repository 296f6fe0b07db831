/** A name that BullMQ's Lua does not have. */
const IGNORE = 'krsIgnore';

/** As `silenced`, for a text that is not made anew with each call: a function of its own stands in front. */
export function withoutEvents(lua: string): string {
  return `local function ${IGNORE}() end\n${silenced(lua, IGNORE)}`;
}

/**
 * Takes BullMQ's events out of one of its scripts. BullMQ writes five or six entries for each task into a stream, for
 * `QueueEvents`. No part of this service reads them, and they were a sixth of Redis' work for a task.
 *
 * A script of another BullMQ may write its events in another way. Then they are written, and nothing breaks.
 *
 * @param lua    a whole script, or a part of it
 * @param ignore name of a Lua function that does nothing with its arguments
 */
export function silenced(lua: string, ignore: string): string {
  return (
    lua
      .replaceAll(/rcall\("(?:XADD|XTRIM)", /g, `${ignore}(`)
      // The length of the stream is asked for nothing else.
      .replaceAll(/= getOrSetMaxEvents\([\w[\]]+\)/g, '= 0')
  );
}

import { EngineMismatchError } from './engine-mismatch.js';

/** A text of one of BullMQ's scripts, and the text that stands in its place. */
export type Patch = readonly [text: string, by: string];

/**
 * @param script name of the script, for the error
 * @throws EngineMismatchError unless the text stands there exactly once: in another BullMQ it may mean something else
 */
export function replaceOnce(lua: string, script: string, [text, by]: Patch): string {
  const times = lua.split(text).length - 1;
  if (times !== 1) throw new EngineMismatchError([`bullmq: expected ${text} once in the script ${script}, found it ${times} times`]);
  // The replacement is a function, since `$&` and the like have a meaning in a text.
  return lua.replace(text, () => by);
}

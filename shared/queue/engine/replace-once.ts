import { EngineMismatchError } from './engine-mismatch.js';

/**
 * @param script name of the script, for the error
 * @throws EngineMismatchError unless the text stands there exactly once: in another BullMQ it may mean something else
 */
export function replaceOnce(lua: string, script: string, [text, by]: readonly [text: string, by: string]): string {
  const times = lua.split(text).length - 1;
  if (times !== 1) throw new EngineMismatchError([`bullmq: expected ${text} once in the script ${script}, found it ${times} times`]);
  // The replacement is a function, since `$&` and the like have a meaning in a text.
  return lua.replace(text, () => by);
}

// What keeps a process of tests alive behind its last test: which connections, servers, processes and timers, and since which file.
import { createHook, executionAsyncResource } from 'node:async_hooks';
import { ChildProcess } from 'node:child_process';
import { subscribe } from 'node:diagnostics_channel';
import { Server, Socket } from 'node:net';

/** A process that has nothing left open ends at once; this is for slow machines. */
export const EXIT_WITHIN_MS = 15_000;
/** What a line about something that was left open begins with. */
const MARK = 'Left open: ';
const MOST_LINES = 20;
/** Of the text of a function, and of a stack. */
const [TEXT_LENGTH, STACK_LINES] = [160, 6];

/** @type {WeakMap<object, string>} */
const openSince = new WeakMap();

/** @returns {object[]} undocumented, and the only way to tell one open socket from another */
function openHandles() {
  const { _getActiveHandles: handles } = /** @type {{_getActiveHandles?: () => object[]}} */ (/** @type {unknown} */ (process));
  return handles?.call(process) ?? [];
}

/**
 * Remembers what is open behind a file.
 * @param {string} file
 */
export function noteOpen(file) {
  for (const handle of openHandles()) if (!openSince.has(handle)) openSince.set(handle, file);
}

/**
 * Writes what is open, if the process has not ended by itself when a fifth of its time is over. Then it writes for another three fifths which
 * timers fire and where is connected to: a client that connects for ever has no socket most of the time.
 *
 * @param {number} exitWithinMs when the process is ended
 */
export function tellWhatIsOpen(exitWithinMs) {
  setTimeout(() => {
    /** @type {Set<string>} */
    const told = new Set();
    /** @param {string} what @param {string} [where] */
    const tell = (what, where = '') => {
      if (told.has(what) || told.size >= MOST_LINES) return;
      told.add(what);
      console.error(`${MARK}${what}${where}`);
    };
    tell(process.getActiveResourcesInfo().join(', '));
    for (const handle of openHandles()) {
      const what = describeHandle(handle);
      if (what !== undefined) tell(`${what}, first seen behind ${openSince.get(handle) ?? 'the last file'}`);
    }
    subscribe('net.client.socket', (message) => {
      const { socket } = /** @type {{socket: import('node:net').Socket}} */ (message);
      const stack = new Error('here').stack?.split('\n').slice(2, 2 + STACK_LINES).join('\n');
      socket.once('connectionAttempt', (address, port) => tell(`a connection is made to ${address}:${port}`, `\n${stack}`));
    });
    const timers = createHook({
      before: () => {
        const { _onTimeout: fired } = /** @type {{_onTimeout?: unknown}} */ (executionAsyncResource());
        if (typeof fired === 'function' && fired !== stop) tell(`a timer fires: ${fired.name} ${String(fired).replaceAll(/\s+/g, ' ').slice(0, TEXT_LENGTH)}`);
      },
    }).enable();
    const stop = () => timers.disable();
    setTimeout(stop, (exitWithinMs * 3) / 5).unref();
  }, exitWithinMs / 5).unref();
}

/**
 * @param {string} output of a process
 * @returns {string[]} what it has told
 */
export function toldOpen(output) {
  return output.split('\n').filter((line) => line.startsWith(MARK));
}

/**
 * @param {object} handle
 * @returns {string | undefined} undefined for a pipe
 */
function describeHandle(handle) {
  if (handle instanceof ChildProcess) return `process ${handle.pid}: ${handle.spawnargs.join(' ')}`;
  if (handle instanceof Server) return `server ${JSON.stringify(handle.address())}`;
  if (handle instanceof Socket && handle.remotePort !== undefined) return `connection from ${handle.localAddress}:${handle.localPort} to ${handle.remoteAddress}:${handle.remotePort}`;
  return undefined;
}

import { SetupError } from './setup-error.mjs';

/** npm passes on the Ctrl-C that the terminal has already sent to the whole group: two signals, one wish. */
const SAME_WISH_MS = 1_000;

const EXIT_CODES = /** @type {const} */ ({ SIGINT: 130, SIGTERM: 143, SIGHUP: 129 });

/** How soon we notice that npm is gone. */
const PARENT_CHECK_MS = 500;

/**
 * Turns Ctrl-C, SIGTERM and a closed terminal into one AbortSignal.
 *
 * @returns {{signal: AbortSignal, onRepeat: (listener: () => void) => void}} the signal's reason is a SetupError with
 *   the usual exit code; onRepeat hears of every further wish to stop
 */
export function watchForInterruption() {
  const interruption = new AbortController();
  /** @type {(() => void)[]} */
  const repeatListeners = [];
  let lastAt = -Infinity;
  /** @param {keyof typeof EXIT_CODES} name */
  const hear = (name) => {
    const isSameWish = performance.now() - lastAt < SAME_WISH_MS;
    lastAt = performance.now();
    if (!interruption.signal.aborted) {
      interruption.abort(new SetupError(`Stopped by ${name}.`, { exitCode: EXIT_CODES[name] }));
    } else if (!isSameWish) {
      for (const listener of repeatListeners) listener();
    }
  };
  for (const name of /** @type {(keyof typeof EXIT_CODES)[]} */ (Object.keys(EXIT_CODES))) process.on(name, () => hear(name));
  onParentGone(() => hear('SIGTERM'));
  // After SIGHUP there is no terminal to write to; what we still have to say must not end us.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
  return { signal: interruption.signal, onRepeat: (listener) => void repeatListeners.push(listener) };
}

/**
 * `kill <pid of npm>` ends npm and its shell, but dash passes no signal on: we would stay behind, unseen (npm 11 on
 * Debian 12). Started without npm, a parent that leaves means nothing: nohup, a double fork.
 * @param {() => void} listener
 */
function onParentGone(listener) {
  if (process.env.npm_lifecycle_event === undefined) return;
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    listener();
  }, PARENT_CHECK_MS);
  timer.unref();
}

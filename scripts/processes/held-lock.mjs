import { closeSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { isRunning, ownProcessRef } from './process-identity.mjs';
import { SetupError } from './setup-error.mjs';
import { waitUntil } from './wait-until.mjs';

/** @typedef {import('./process-identity.mjs').ProcessRef} ProcessRef */

/**
 * A lock on disk that names its holder, so that a dead holder's lock can be told from a live one's. Node has no
 * flock, and a lock that outlives kill -9 must be taken over by itself, not by a person with rm.
 *
 * @template {object} T
 * @typedef {object} HeldLock
 * @property {(T & {holder: ProcessRef}) | null} previous  what the dead holder left behind, null after a clean end
 * @property {(contents: T) => void} write                 replaces what the lock says
 * @property {() => void} release
 */

/** A guard is held for a few milliseconds; one this old belongs to a process that was killed just then. */
const GUARD_STALE_AFTER_MS = 5_000;

/**
 * @template {object} T
 * @param {string} file
 * @param {T} contents first contents; a dead holder's contents are lost unless `carryOver` keeps them
 * @param {(previous: T) => T} [carryOver] what to keep of a dead holder's contents, so that being killed right
 *   after the takeover forgets nothing
 * @returns {Promise<{lock: HeldLock<T>} | {heldBy: T & {holder: ProcessRef}}>}
 */
export async function acquireLock(file, contents, carryOver = () => contents) {
  mkdirSync(path.dirname(file), { recursive: true });
  return underGuard(`${file}.guard`, () => {
    const found = /** @type {(T & {holder: ProcessRef}) | null} */ (readLock(file));
    if (found !== null && isRunning(found.holder)) return { heldBy: found };
    writeLock(file, found === null ? contents : carryOver(found));
    return {
      lock: {
        previous: found,
        write: (/** @type {T} */ next) => writeLock(file, next),
        release: () => {
          const current = readLock(file);
          // If the folder was deleted meanwhile and another start made it again, this lock is not ours to remove.
          if (current !== null && current.holder.pid === process.pid) rmSync(file, { force: true });
        },
      },
    };
  });
}

/**
 * @param {string} file
 * @returns {{holder: ProcessRef} | null} null when there is none, or when it is no lock of ours (damaged, older format)
 */
function readLock(file) {
  try {
    const parsed = JSON.parse(readFileSync(file, 'utf8'));
    const holder = parsed?.holder;
    return typeof holder?.pid === 'number' && typeof holder?.identity === 'string' ? parsed : null;
  } catch (error) {
    if (error instanceof SyntaxError || /** @type {NodeJS.ErrnoException} */ (error).code === 'ENOENT') return null;
    throw error;
  }
}

/**
 * @param {string} file
 * @param {object} contents
 */
function writeLock(file, contents) {
  // Rename, so that a reader never sees half a lock and takes it for a damaged one.
  const draft = `${file}.${process.pid}`;
  writeFileSync(draft, `${JSON.stringify({ holder: ownProcessRef(), ...withoutHolder(contents) }, null, 2)}\n`);
  renameSync(draft, file);
}

/** @param {object} contents */
function withoutHolder(contents) {
  return Object.fromEntries(Object.entries(contents).filter(([key]) => key !== 'holder'));
}

/**
 * Reading a lock, judging its holder and writing it are three steps; two processes that both find a dead holder
 * must not both take over.
 *
 * @template R
 * @param {string} guard
 * @param {() => R} action
 * @returns {Promise<R>}
 */
async function underGuard(guard, action) {
  const isOurs = await waitUntil(() => takeGuard(guard), { withinMs: 4 * GUARD_STALE_AFTER_MS, everyMs: 20 });
  if (isOurs === null) throw new SetupError(`Cannot get ${guard}.\nIf nothing else is starting in this folder, delete that file.`);
  try {
    return action();
  } finally {
    rmSync(guard, { force: true });
  }
}

/** @param {string} guard */
function takeGuard(guard) {
  try {
    closeSync(openSync(guard, 'wx'));
    return true;
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'EEXIST') throw error;
  }
  const ageMs = Date.now() - (statSync(guard, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
  if (ageMs > GUARD_STALE_AFTER_MS) rmSync(guard, { force: true });
  return false;
}

import { signal } from '@preact/signals';
import { useEffect, useRef, useState } from 'preact/hooks';

import type { Status } from '../../../client/answers.js';
import { ApiFailure, callApi } from './api.js';
import { isSignedOut, signalOfPerson } from './person.js';

const PERIOD_MS = 1_000;
const LONGEST_PERIOD_MS = 15_000;

/** The last answer of GET /status. */
export const status = signalOfPerson<Status | undefined>(undefined);
/** When it came; the page says how old its data is. */
export const answeredAt = signal(0);
/** Why the last call found no answer; undefined while all is well. */
export const trouble = signal<ApiFailure | undefined>(undefined);
/** A person holds the page still, to read. Then nothing is asked but whether he may still read it. */
export const isHeldStill = signal(false);

/** How a question is asked; it is handed to callApi as it is. */
export interface Asking {
  readonly signal: AbortSignal;
}

/** What the view in front asks for, beside the status. It never fails. */
interface Source {
  everyMs: number;
  /** @returns what went wrong */
  readonly load: () => Promise<ApiFailure | undefined>;
  endedAt: number;
  /** It is not asked before: a slow or failing question is asked less often. */
  waitMs: number;
}

/** A question that takes long is asked for at most so large a part of the time. */
const RESTS = 10;

const sources = new Set<Source>();
let timer: ReturnType<typeof setTimeout> | undefined;
let isRunning = false;
let askFirst: () => Promise<void> = () => Promise.resolve();
let periodMs = PERIOD_MS;

/**
 * One call after the other, and the next turn a second after the last answer: a slow service is not asked faster than it answers, and a tab
 * that nobody sees asks nothing.
 */
async function turn(): Promise<void> {
  timer = undefined;
  if (document.hidden || isRunning) return;
  isRunning = true;
  try {
    await askFirst();
    if (isHeld()) {
      if (trouble.value?.status === 401 && !isSignedOut.value) trouble.value = undefined;
      periodMs = PERIOD_MS;
      return;
    }
    status.value = await callApi<Status>('/status');
    answeredAt.value = Date.now();
    trouble.value = undefined;
    periodMs = PERIOD_MS;
    for (const source of [...sources]) {
      // The person may have frozen it meanwhile, or turned to another tab.
      if (!isHeld() && performance.now() - source.endedAt >= Math.max(source.everyMs, source.waitMs)) await ask(source);
    }
  } catch (error) {
    trouble.value = error instanceof ApiFailure ? error : new ApiFailure(0, 'unreachable', String(error));
    periodMs = Math.min(periodMs * 2, LONGEST_PERIOD_MS);
  } finally {
    isRunning = false;
    schedule();
  }
}

async function ask(source: Source): Promise<void> {
  const begunAt = performance.now();
  const failure = await source.load();
  source.endedAt = performance.now();
  if (failure === undefined) source.waitMs = RESTS * (source.endedAt - begunAt);
  // What is gone, or not for this key, stays so until the person does something.
  else source.waitMs = failure.status === 403 || failure.status === 404 ? Infinity : Math.min(Math.max(2 * source.waitMs, 2 * source.everyMs), LONGEST_PERIOD_MS);
}

/** Asked behind an await, it is another value than before. */
const isHeld = (): boolean => isHeldStill.value || document.hidden;

function schedule(): void {
  clearTimeout(timer);
  timer = setTimeout(() => void turn(), periodMs);
}

/**
 * Starts asking; once, when the page is there.
 * @param first is asked at the beginning of each turn, also while the page is held still. When it fails the turn is over
 */
export function startLive(first: () => Promise<void>): void {
  askFirst = first;
  document.addEventListener('visibilitychange', () => { if (!document.hidden) askNow(); });
  void turn();
  isHeldStill.subscribe((isHeld) => { if (!isHeld) askNow(); });
}

/** After a change that a person made, its effect is shown at once. */
export function askNow(): void {
  for (const source of sources) Object.assign(source, { endedAt: -Infinity, waitMs: 0 });
  periodMs = PERIOD_MS;
  clearTimeout(timer);
  timer = setTimeout(() => void turn(), 0);
}

export interface Loaded<T> {
  /** The last answer to this very question. */
  readonly value: T | undefined;
  readonly failure: ApiFailure | undefined;
  readonly isLoading: boolean;
  readonly reload: () => void;
}

/**
 * Asks at once, and again every so often. An answer to an older question is never shown, nor is its error.
 *
 * @param question what the answer depends on; another one throws the last answer away
 * @param everyMs  0 = asked once
 */
export function useLive<T>(question: string, load: (asking: Asking) => Promise<T>, everyMs: number): Loaded<T> {
  const [state, setState] = useState<{ readonly question: string; readonly value?: T | undefined; readonly failure?: ApiFailure | undefined; readonly isLoading: boolean }>({ question, isLoading: true });
  const latest = useRef(load);
  latest.current = load;
  const again = useRef<() => void>(() => undefined);
  const own = useRef<Source | undefined>(undefined);

  useEffect(() => {
    const gone = new AbortController();
    const once = async (): Promise<ApiFailure | undefined> => {
      try {
        const value = await latest.current({ signal: gone.signal });
        if (!gone.signal.aborted) setState({ question, value, isLoading: false });
        return undefined;
      } catch (error) {
        if (gone.signal.aborted) return undefined;
        const failure = error instanceof ApiFailure ? error : new ApiFailure(0, 'unreachable', String(error));
        setState((before) => ({ ...(before.question === question ? before : {}), question, failure, isLoading: false }));
        return failure;
      }
    };
    setState((before) => (before.question === question ? { ...before, isLoading: true } : { question, isLoading: true }));
    const source: Source | undefined = everyMs > 0 ? { everyMs, load: once, endedAt: performance.now(), waitMs: 0 } : undefined;
    own.current = source;
    again.current = () => void once();
    void once().finally(() => {
      if (source !== undefined && !gone.signal.aborted) sources.add(Object.assign(source, { endedAt: performance.now() }));
    });
    return () => {
      gone.abort();
      if (source !== undefined) sources.delete(source);
    };
  }, [question, everyMs > 0]);
  if (own.current !== undefined) own.current.everyMs = everyMs;

  const isOwn = state.question === question;
  return { value: isOwn ? state.value : undefined, failure: isOwn ? state.failure : undefined, isLoading: !isOwn || state.isLoading, reload: () => again.current() };
}

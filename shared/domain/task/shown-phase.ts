import type { Phase } from './attempt-record.js';

/** A phase as answers, log lines and spans spell it. Stored logs, metrics and the ids of signed messages have the short word. */
export type ShownPhase = 'delivery' | 'dead_letter';

export function shownPhase(phase: Phase): ShownPhase {
  return phase === 'dead' ? 'dead_letter' : 'delivery';
}

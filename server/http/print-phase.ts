import type { Phase } from '../../shared/domain/task/attempt-record.js';

/** As answers spell a phase. */
export function toWirePhase(phase: Phase): 'delivery' | 'dead_letter' {
  return phase === 'dead' ? 'dead_letter' : 'delivery';
}

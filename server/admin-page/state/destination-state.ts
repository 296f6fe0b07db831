import type { ShownDestination } from '../../../client/answers.js';

/** What a destination without a pause or an open circuit does now: a word, and the colour of its badge. */
export interface DestinationState {
  readonly kind: 'ok' | 'delivering' | 'limited' | 'retrying' | 'idle';
  readonly text: string;
}

/**
 * Green is for what was delivered alone. Pure.
 * @param workers how many run; null, undefined: it is not known
 */
export function stateOfTraffic({ delivered, failed, in_flight: inFlight, limits }: Pick<ShownDestination, 'delivered' | 'failed' | 'in_flight' | 'limits'>, workers: number | null | undefined): DestinationState {
  if (workers === 0) return { kind: 'idle', text: 'no worker' };
  if (failed > 0 && delivered === 0) return { kind: 'retrying', text: 'all fail' };
  if (limits !== null) return { kind: 'limited', text: 'limited' };
  if (delivered > 0) return { kind: 'ok', text: 'sending' };
  return inFlight > 0 ? { kind: 'delivering', text: 'sending' } : { kind: 'idle', text: 'idle' };
}

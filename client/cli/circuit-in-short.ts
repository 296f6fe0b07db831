import type { Destination } from '../answers.js';

type Circuit = Destination['circuit'];

/** A circuit in a column: `open`, `open (dead letters)` where deliveries go on, `open (the rest)` where endpoints that have one of their own do. */
export function circuitInShort(circuit: Circuit): string {
  // An older API does not tell whose tasks wait.
  const { state, of, phase }: Partial<Circuit> & Pick<Circuit, 'state'> = circuit;
  const whose = [...(phase === 'dead_letter' ? ['dead letters'] : []), ...(of === 'others' ? ['the rest'] : [])];
  return whose.length === 0 ? state : `${state} (${whose.join(', ')})`;
}

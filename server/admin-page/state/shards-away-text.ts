import type { BulkAction } from '../../../client/answers.js';

/** What the numbers of a bulk action leave out; undefined: nothing, or its reason says so already. An older API does not tell. */
export function shardsAwayText({ state_reason: reason, shards_away: away = [] }: Pick<BulkAction, 'state_reason'> & Partial<Pick<BulkAction, 'shards_away'>>): string | undefined {
  if (away.length === 0 || reason?.code === 'shard_away') return undefined;
  return `${away.length === 1 ? 'A shard does' : `${away.length} shards do`} not answer (${away.join(', ')}): what became of their tasks is not in these numbers.`;
}

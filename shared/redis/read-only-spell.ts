/**
 * After this long without a READONLY, the next one belongs to another failover. It is longer than the longest pause
 * below.
 */
const SPELL_ENDS_MS = 90_000;
const SHORTEST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 60_000;

/** The time in which one connection was answered READONLY, monotonic milliseconds. */
export interface ReadOnlySpell {
  readonly since: number;
  readonly lastSeen: number;
  readonly lastReconnect: number;
}

/**
 * When a connection on which Redis answers READONLY is made anew: at once, then 1 s, 2 s, 4 s, 8 s, ... after the first
 * answer, and in the end every minute.
 *
 * @param spell of this connection until now; undefined before its first READONLY
 */
export function seeReadOnly(spell: ReadOnlySpell | undefined, now: number): { readonly isDue: boolean; readonly spell: ReadOnlySpell } {
  if (spell === undefined || now - spell.lastSeen >= SPELL_ENDS_MS) return { isDue: true, spell: { since: now, lastSeen: now, lastReconnect: now } };
  const pauseMs = Math.min(Math.max(spell.lastReconnect - spell.since, SHORTEST_PAUSE_MS), LONGEST_PAUSE_MS);
  const isDue = now - spell.lastReconnect >= pauseMs;
  return { isDue, spell: { since: spell.since, lastSeen: now, lastReconnect: isDue ? now : spell.lastReconnect } };
}

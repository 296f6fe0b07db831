const INSTANT = /^(\d{4}-\d{2}-\d{2})[Tt](\d{2}:\d{2}:\d{2})(\.\d+)?([Zz]|[+-]\d{2}:\d{2})$/;

/** Years of four digits. */
const FIRST = Date.parse('0000-01-01T00:00:00Z');
const LAST = Date.parse('9999-12-31T23:59:59.999Z');

/**
 * Reads an instant of RFC 3339 with its zone: `2026-11-28T12:00:00Z`, `2026-11-28T13:00:00.5+01:00`.
 * @returns milliseconds since the epoch, digits beyond them dropped; undefined for another text, for a day that does not
 *          exist, and where its zone takes it out of the years 0 to 9999: it could not be printed as it was read
 */
export function parseInstant(text: string): number | undefined {
  const [, day = '', time = '', fraction = '', zone = ''] = INSTANT.exec(text) ?? [];
  const milliseconds = fraction === '' ? '' : `.${fraction.slice(1, 4).padEnd(3, '0')}`;
  const at = Date.parse(`${day}T${time}${milliseconds}${zone.toUpperCase()}`);
  if (Number.isNaN(at) || at < FIRST || at > LAST) return undefined;
  // The parser takes the 30th of February for the 2nd of March.
  const local = new Date(Date.parse(`${day}T${time}Z`));
  return local.toISOString().startsWith(`${day}T${time}`) ? at : undefined;
}

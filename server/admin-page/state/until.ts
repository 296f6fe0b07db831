const LENGTH = /^\+?(\d+)\s*(min|m|h|d)$/;
const LOCAL = /^(\d{4})-(\d{2})-(\d{2})(?:[ T](\d{1,2}):(\d{2}))?$/;

/**
 * The end of a pause as the API takes it. A length is left to Redis' clock; a time is the reader's own.
 *
 * @param text `30min`, `2h`, `2026-11-30 08:00`; empty = no end
 * @throws Error that says what to write
 */
export function untilOf(text: string): string | undefined {
  const trimmed = text.trim();
  if (trimmed === '') return undefined;
  const length = LENGTH.exec(trimmed);
  if (length !== null) return `+${length[1]}${length[2] === 'min' ? 'm' : length[2]}`;
  const parts = LOCAL.exec(trimmed)?.slice(1).map((part: string | undefined) => Number(part ?? 0));
  if (parts !== undefined) {
    const [year = 0, month = 1, day = 1, hour = 0, minute = 0] = parts;
    const at = new Date(year, month - 1, day, hour, minute);
    // 2026-02-31 would be a day in March.
    if (at.getMonth() === month - 1 && at.getDate() === day && at.getHours() === hour && at.getMinutes() === minute) return at.toISOString();
  }
  throw new Error('Write a length such as 30min or 2h, or a time such as 2026-11-30 08:00.');
}

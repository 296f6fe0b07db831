let stampedMs = 0;
let stamp = '';

/** The time of a line, `2026-11-28T12:00:00.000Z`. The text is made once per millisecond, because many lines share it. */
export function timeStamp(): string {
  const nowMs = Date.now();
  if (nowMs !== stampedMs) {
    stampedMs = nowMs;
    stamp = new Date(nowMs).toISOString();
  }
  return stamp;
}

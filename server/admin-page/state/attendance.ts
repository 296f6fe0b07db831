/** Whether a person is at the page. What it asks for by itself must not keep a session alive. */

const UNATTENDED_AFTER_MS = 60_000;
let touchedAt = Date.now();
for (const kind of ['pointerdown', 'pointermove', 'keydown', 'wheel', 'touchstart']) {
  addEventListener(kind, () => { touchedAt = Date.now(); }, { capture: true, passive: true });
}

export function isUnattended(): boolean {
  return document.hidden || Date.now() - touchedAt > UNATTENDED_AFTER_MS;
}

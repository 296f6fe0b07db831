/**
 * For a page that shows what a session may see, and goes on asking by itself. It looks each second whether the session holds, and when it does not,
 * it shows nothing any more and is loaded again: then it is the login page, which says why. While nobody has touched the page for a minute, its
 * requests say so, and do not keep the session. It runs before the scripts of the page itself.
 */
export const SESSION_SCRIPT = `
(() => {
  const UNATTENDED_AFTER_MS = 60000;
  const LOOK_EVERY_MS = 1000;
  let touchedAt = Date.now();
  let hasLeft = false;
  for (const kind of ['pointerdown', 'pointermove', 'keydown', 'wheel', 'touchstart']) {
    addEventListener(kind, () => { touchedAt = Date.now(); }, { capture: true, passive: true });
  }
  const isUnattended = () => document.hidden || Date.now() - touchedAt > UNATTENDED_AFTER_MS;
  const leave = () => {
    if (hasLeft) return;
    hasLeft = true;
    document.documentElement.hidden = true;
    document.body.replaceChildren();
    // For the login page: a browser that has signed out in another tab sends nothing that would tell it.
    sessionStorage.setItem('krs-left', '1');
    // Without what stands behind #, which would make it no new page.
    location.replace(location.origin + location.pathname + location.search);
  };

  const { send } = XMLHttpRequest.prototype;
  XMLHttpRequest.prototype.send = function (...body) {
    if (isUnattended()) this.setRequestHeader('X-Unattended', '1');
    this.addEventListener('loadend', () => { if (this.status === 401) leave(); });
    return send.apply(this, body);
  };

  const look = async () => {
    try {
      if ((await fetch('/session', { headers: { 'X-Unattended': '1' } })).status === 401) leave();
    } catch {
      // The service is away. The page says so itself, and the next look tries again.
    }
  };
  const lookAgain = async () => {
    if (!document.hidden) await look();
    setTimeout(lookAgain, LOOK_EVERY_MS);
  };
  setTimeout(lookAgain, LOOK_EVERY_MS);
  document.addEventListener('visibilitychange', () => { if (!document.hidden) void look(); });

  document.addEventListener('click', async ({ target }) => {
    if (!(target instanceof Element) || target.closest('#own-sign-out') === null) return;
    await fetch('/session', { method: 'DELETE' }).catch(() => undefined);
    leave();
  });
})();
`;

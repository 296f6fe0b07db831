/**
 * Signs a person in, and shows the page that was asked for: the one at this very address. No other address is ever gone to, so no link can lead a person
 * through this page to a stranger. The page says by data-kind what it stands for, each of the first three in place of a page: `asked` (the browser has sent no
 * session), `ended` (it has sent one that does not hold), `refused` (one that may not see the page), `login`.
 */
export const LOGIN_SCRIPT = `
(() => {
  const byId = (id) => document.getElementById(id);
  const [form, key, button, problem, signedIn] = ['form', 'key', 'submit', 'problem', 'signed-in'].map(byId);
  const { kind } = document.body.dataset;
  const WENT_ON = 'krs-went-on';
  const LEFT = 'krs-left';

  const goOn = () => location.replace(location.origin + (kind === 'login' ? '/' : location.pathname + location.search));
  const say = (text) => { problem.textContent = text; };
  const busy = (isBusy) => {
    button.disabled = isBusy;
    button.textContent = isBusy ? 'Signing in\u2026' : 'Sign in';
  };
  const whoAmI = async () => {
    const answer = await fetch('/session', { headers: { 'X-Unattended': '1' } });
    return answer.ok ? answer.json() : undefined;
  };
  const textOf = async (answer) => {
    try {
      return (await answer.json()).error;
    } catch {
      return 'the answer was ' + answer.status;
    }
  };

  const refusals = {
    401: async () => 'This key is not valid: it is mistyped, or was revoked or replaced, or has expired.',
    429: async () => 'Too many wrong keys have come from here. Wait a moment, then try again.',
    503: async () => 'The service cannot look up keys now. Try again in a moment.',
  };
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    say('');
    busy(true);
    try {
      const answer = await fetch('/session', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ key: key.value.trim() }) });
      if (!answer.ok) say(await (refusals[answer.status] ?? (async () => 'Not signed in: ' + (await textOf(answer))))());
      else if ((await whoAmI()) === undefined) say('The key is valid, but this browser has not kept the cookie. Allow cookies for this address; a cookie for https is not kept by http.');
      else {
        key.value = '';
        goOn();
        return;
      }
    } catch {
      say('The service cannot be reached. Try again in a moment.');
    }
    busy(false);
    key.select();
    key.focus();
  });

  byId('sign-out').addEventListener('click', async () => {
    await fetch('/session', { method: 'DELETE' }).catch(() => undefined);
    location.replace(location.origin + location.pathname + location.search);
  });

  const start = async () => {
    const who = await whoAmI().catch(() => undefined);
    const hasLeft = sessionStorage.getItem(LEFT) !== null;
    sessionStorage.removeItem(LEFT);
    if (who === undefined) {
      sessionStorage.removeItem(WENT_ON);
      if (kind === 'asked' && hasLeft) byId('reason').textContent = 'You were signed out, here or in another tab.';
      return;
    }
    if (kind === 'asked' && sessionStorage.getItem(WENT_ON) === null) {
      // A browser does not send the cookie with a link of another site, such as one in a chat. From this page it does.
      sessionStorage.setItem(WENT_ON, '1');
      goOn();
      return;
    }
    sessionStorage.removeItem(WENT_ON);
    byId('who').textContent = who.key_id === null ? 'Nobody has to sign in here: everybody may do everything (AUTH=off).' : 'Signed in as ' + who.name + ' (' + who.role + ').';
    byId('sign-out').hidden = who.key_id === null;
    form.hidden = who.key_id === null;
    signedIn.hidden = false;
  };
  void start();
})();
`;

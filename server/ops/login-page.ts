import { missingFor } from '../../shared/domain/access/route-access.js';
import type { RequestError } from '../../shared/domain/errors.js';
import type { RequestErrorCode } from '../../shared/domain/request-errors.js';
import type { RefusalReason } from '../../shared/domain/refusals/refusal-reason.js';
import type { SessionFault } from '../access/sessions.js';
import { textAnswer, type Answer } from '../http/answer.js';
import { answerToError } from '../http/error-response.js';
import type { RequestContext } from '../http/request-context.js';
import type { Route } from '../http/route.js';
import { LOGIN_SCRIPT } from './login-script.js';
import { htmlText, pageHeaders, sourceOf } from './page-policy.js';

/** Why a person who was signed in has to sign in again. */
const signedOutBecause: Readonly<Record<SessionFault, string>> = {
  unknown_session: 'You were signed out, here or in another tab.',
  idle_session: 'You were signed out, because nothing was done here for a while.',
  old_session: 'You were signed out, because it was long ago that you signed in.',
  revoked_key: 'You were signed out, because your key was revoked.',
  replaced_key: 'You were signed out, because your key was replaced by a new one.',
  expired_key: 'You were signed out, because your key has expired.',
};

const STYLE = `
:root { color-scheme: light dark; --ink: #1c2733; --soft: #55636f; --line: #8593a0; --paper: #f6f8fa; --card: #fff; --link: #0b57a4; --on-link: #fff; --bad: #a8201a; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4eaf0; --soft: #9dabb8; --line: #66747f; --paper: #12181e; --card: #1a222a; --link: #7cb8f2; --on-link: #10161c; --bad: #ff9d94; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 26rem; margin: 0 auto; padding: max(2rem, 12vh) 1.25rem 2rem; }
h1 { margin: 0; font-size: 1.6rem; }
p { margin: 0; overflow-wrap: anywhere; }
.service, .hint { color: var(--soft); }
.hint { font-size: .875rem; }
#reason { margin: .75rem 0 1.5rem; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: 1.25rem; display: grid; gap: .6rem; margin-bottom: 1rem; }
.card[hidden] { display: none; }
label { font-weight: 600; }
input, button { font: inherit; width: 100%; min-height: 2.75rem; border-radius: .4rem; padding: .4rem .75rem; }
input { color: inherit; background: var(--paper); border: 1px solid var(--line); font-family: ui-monospace, monospace; }
button { border: 1px solid var(--link); background: var(--link); color: var(--on-link); font-weight: 600; cursor: pointer; }
button.second { background: transparent; color: var(--link); }
button:disabled { opacity: .6; cursor: progress; }
:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; }
#problem:empty { margin-top: -.6rem; }
#problem:not(:empty) { color: var(--bad); font-weight: 600; }
nav { display: flex; flex-wrap: wrap; gap: .5rem 1.25rem; padding-top: .5rem; }
a { color: var(--link); text-underline-offset: .2em; }
`;

const PAGE_HEADERS = pageHeaders({ scripts: sourceOf(LOGIN_SCRIPT), styles: sourceOf(STYLE), images: 'data:', requests: "'self'" });

interface Frame {
  /** As a heading. */
  readonly title: string;
  /** Why, as a sentence. */
  readonly reason: string;
  readonly kind: string;
  readonly head?: string;
  readonly body?: string;
}

function framed({ title, reason, kind, head = '', body = '' }: Frame): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${title} - Kafka Retry Service</title>
<link rel="icon" href="data:,">
<style>${STYLE}</style>${head}
</head>
<body data-kind="${kind}">
<main>
<p class="service">Kafka Retry Service</p>
<h1>${title}</h1>
<p id="reason">${htmlText(reason)}</p>${body}
</body>
</html>
`;
}

/** @param kind see LOGIN_SCRIPT  @param title what is to be done, as a heading  @param reason why, as a sentence */
function pageWith(kind: 'asked' | 'ended' | 'refused' | 'login', title: string, reason: string): string {
  const body = `
<section id="signed-in" class="card" hidden>
<p id="who"></p>
<button type="button" id="sign-out" class="second">Sign out</button>
</section>
<form id="form" class="card" method="post">
<label for="key">Access key</label>
<input id="key" type="password" required autofocus autocomplete="current-password" autocapitalize="none" spellcheck="false" aria-describedby="hint problem">
<p class="hint" id="hint">It begins with krs_. Those who run this service make keys.</p>
<button id="submit">Sign in</button>
<p id="problem" role="alert"></p>
</form>
<noscript><p>To sign in needs JavaScript. Programs send their key as <code>Authorization: Bearer</code>.</p></noscript>
<nav><a href="/">All pages</a><a href="/docs">Contract</a><a href="/health">Health</a></nav>
</main>
<script>${LOGIN_SCRIPT}</script>`;
  return framed({ kind, title, reason, body });
}

const AWAY_HEADERS = pageHeaders({ styles: sourceOf(STYLE), images: 'data:' });
const SECONDS_UNTIL_ASKED_AGAIN = 3;
const awayPages: Partial<Readonly<Record<RequestErrorCode, string>>> = { redis_unavailable: awayPage('Redis does not answer'), redis_refused: awayPage('Redis answers, and refuses to do this now') };

function awayPage(title: string): string {
  return framed({
    kind: 'away',
    title,
    reason: 'Who you are cannot be looked up meanwhile. Tasks that were accepted are safe. This page asks again by itself.',
    head: `\n<meta http-equiv="refresh" content="${SECONDS_UNTIL_ASKED_AGAIN}">`,
    body: '\n<nav><a href="/health">Health</a></nav>\n</main>',
  });
}

/** What has no page, or no longer: a mistyped id or address must not lead away from all pages. */
const missingTitles: Partial<Readonly<Record<RequestErrorCode, string>>> = { task_not_found: 'No such task', not_found: 'Nothing is here' };

/** @param reason as a program is told it: `no task "a" is known: ...` */
function missingPage(title: string, reason: string): string {
  return framed({ kind: 'missing', title, reason: `${reason.slice(0, 1).toUpperCase()}${reason.slice(1)}.`, body: '\n<nav><a href="/admin">Operations page</a><a href="/admin/queues">Board</a></nav>\n</main>' });
}

/** The page to sign in on, for a person who comes by himself. It takes no address to go to. */
export const loginRoute: Route<unknown> = {
  method: 'GET',
  path: '/login',
  role: 'none',
  body: 'none',
  // Links to a page carry all kinds of parameters, and none means anything here.
  query: 'any',
  operationId: null,
  metricLabel: '/login',
  handle: async () => textAnswer(200, 'text/html; charset=utf-8', pageWith('login', 'Sign in', 'Pages such as the board need an access key.'), PAGE_HEADERS),
};

/**
 * What a person sees in place of a page that his browser may not show him: the same page to sign in on, at the address that he has asked for. So nothing
 * has to say where he wanted to go. While it cannot be known whether he may, a page that says so, and one with links in place of what is not there.
 * @returns undefined for a program, and for what is no page
 */
export function pageInPlaceOf(refusal: RequestError, context: RequestContext): Answer | undefined {
  const { code } = refusal;
  const { match, request, accessNote } = context;
  if (match.served.isPage !== true || !/(?:^|,)\s*text\/html\b/i.test(request.headers.accept ?? '')) return undefined;
  if (code === 'unauthenticated') {
    const fault = accessNote?.reason;
    const [kind, reason] = fault !== undefined && isSessionFault(fault) ? (['ended', signedOutBecause[fault]] as const) : (['asked', 'This page needs an access key.'] as const);
    return textAnswer(401, 'text/html; charset=utf-8', pageWith(kind, 'Sign in', reason), { ...PAGE_HEADERS, 'WWW-Authenticate': 'Bearer' });
  }
  if (code === 'forbidden') {
    const needed = missingFor(match.served, context.caller) ?? 'more';
    return textAnswer(403, 'text/html; charset=utf-8', pageWith('refused', 'Not for this key', `This page needs ${needed}. You can sign in with another key.`), PAGE_HEADERS);
  }
  const missing = missingTitles[code];
  if (missing !== undefined) return textAnswer(404, 'text/html; charset=utf-8', missingPage(missing, refusal.message), AWAY_HEADERS);
  const away = awayPages[code];
  return away === undefined ? undefined : textAnswer(503, 'text/html; charset=utf-8', away, { ...AWAY_HEADERS, ...answerToError(refusal).headers });
}

function isSessionFault(reason: RefusalReason): reason is SessionFault {
  return Object.hasOwn(signedOutBecause, reason);
}

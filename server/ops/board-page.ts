import { hasRole, type Caller } from '../../shared/domain/access/caller.js';
import { htmlText, pageHeaders, sourceOf } from './page-policy.js';
import { SESSION_SCRIPT } from './session-script.js';

/**
 * Below the menu stand our link and the search by id; where there is no room for the menu, at a phone, at the lower edge. The name of a
 * job may be as long as a topic, and one long word would make the page twice as wide.
 *
 * What the board offers and the service refuses is not shown: a button that only leads to an error misleads. Retry and Retry all
 * have the arrows that turn; every other action of a job, of a page and of a queue goes. The names of classes end in a hash that
 * changes with the version of the board; the parts before it are older than the hashes. A test looks for what is left over.
 */
const STYLE = `
[class*="jobActions-"] > li:not(:has(.lucide-refresh-cw)),
[class*="queueActions-"] > li:not(:has(.lucide-refresh-cw)),
button[class*="trigger-"]:has(.lucide-ellipsis-vertical),
[role="menuitem"]:has(> svg):not(:has(> .lucide-refresh-cw)):not([class*="subTrigger-"]):not([class*="subItem-"]),
[class*="editButton-"],
[class*="appVersion-"] { display: none !important; }
#own-bar { position: fixed; z-index: 101; bottom: 0; left: 0; width: var(--menu-width, 16rem); box-sizing: border-box; padding: .75rem; display: flex; flex-direction: column; gap: .75rem; font-size: .8rem; color: var(--sidebar-foreground, inherit); overflow-wrap: anywhere; }
#own-bar form, #own-bar p { display: flex; flex-direction: column; gap: .35rem; margin: 0; }
#own-bar input, #own-bar button { font: inherit; color: inherit; background: transparent; border: 1px solid var(--sidebar-border, #8888); border-radius: .4rem; padding: .4rem .6rem; }
#own-bar a { color: inherit; font-weight: 600; text-decoration: underline; text-underline-offset: .2em; } #own-bar button { cursor: pointer; }
body[data-sidebar-collapsed="true"] #own-bar { display: none; }
[class*="contentWrapper-"] { min-width: 0; } [class*="jobName-"] { overflow-wrap: anywhere; }
@media (max-width: 768px) {
  body #own-bar, body[data-sidebar-collapsed="true"] #own-bar { display: flex; flex-flow: row wrap; align-items: end; width: 100%; padding: .5rem .75rem; background: var(--card, Canvas); border-top: 1px solid var(--sidebar-border, #8888); }
  #own-bar form { flex: 1 1 10rem; } #own-bar a { order: 1; padding: .4rem 0; } #own-bar p { flex: 1 1 100%; flex-flow: row wrap; align-items: center; justify-content: space-between; }
  #root { padding-bottom: 5rem; }
}
`;

/** For a person who may change nothing. */
const STYLE_WITHOUT_RETRY = `
[class*="jobActions-"] > li, [class*="queueActions-"] > li, [role="menuitem"]:has(> .lucide-refresh-cw) { display: none !important; }
`;

/** What the board cannot tell stands there: why a task waits, destinations, redrive with a preview. */
const TO_OPERATIONS = '<a href="/admin">Operations page</a>';

/** A task is found by its own id: the board shows the id of its job. */
const FORM = '<form action="task"><label for="open-task-id">Open a task by its id</label><input id="open-task-id" name="id" required maxlength="1000" autocomplete="off" placeholder="order-1001"></form>';

/** What the script and the styles of the page may be. */
export const BOARD_HEADERS = pageHeaders(
  {
    scripts: `'self' ${sourceOf(SESSION_SCRIPT)}`,
    // The libraries of the board write styles into it as it runs.
    styles: "'self' 'unsafe-inline'",
    images: "'self' data:",
    fonts: "'self' data:",
    requests: "'self'",
    forms: "'self'",
    base: "'self'",
  },
  // Its own requests say which page they come from, since that tells which job they mean: see asked-job.ts.
  'same-origin',
);

/**
 * The board's page as it is served here: without requests to other hosts, and without what is refused to its reader.
 * @param caller who reads it. A person who is signed in sees as whom, and can sign out
 */
export function ownBoardPage(html: string, caller: Caller): string {
  const isSignedIn = caller.type === 'session';
  const person = `<p><span>Signed in as ${htmlText(caller.name ?? '')} (${caller.role})</span><button type="button" id="own-sign-out">Sign out</button></p>`;
  return html
    .replace(/<link\b[^>]*\bhref="(?:https?:)?\/\/[^>]*>/g, '')
    .replace('</head>', () => `<style>${STYLE}${hasRole(caller, 'operate') ? '' : STYLE_WITHOUT_RETRY}</style></head>`)
    .replace(/<body\b[^>]*>/, (body) => `${body}<div id="own-bar">${TO_OPERATIONS}${FORM}${isSignedIn ? person : ''}</div>${isSignedIn ? `<script>${SESSION_SCRIPT}</script>` : ''}`);
}

import { jsonAnswer, textAnswer } from '../http/answer.js';
import type { Route } from '../http/route.js';
import { pageHeaders, sourceOf } from './page-policy.js';
import { prefersJson } from './prefers-json.js';

/** Links for a person who looks around. A test asks for each of them. */
export const frontPageLinks = [
  { name: 'page', href: '/admin', title: 'Operations', text: 'Is it healthy, what fails, where is a task and why; redrive, pause, edit.' },
  { name: 'board', href: '/admin/queues', title: 'Board', text: 'The jobs behind the tasks, as the queue engine has them.' },
  { name: 'login', href: '/login', title: 'Sign in', text: 'With an access key, where AUTH=on: the operations page and the board ask for it. Sign out there, too.' },
  { name: 'destinations', href: '/destinations', title: 'Destinations', text: 'What is sent where now: in flight, deferred, latency, failures, circuit, limits.' },
  { name: 'status', href: '/status', title: 'Status', text: 'Is all well, and if not, what is wrong. Rates, lateness and backlog.' },
  { name: 'stats', href: '/stats', title: 'Numbers', text: 'How many tasks wait, are sent and have ended, and how many workers there are.' },
  { name: 'docs', href: '/docs', title: 'Contract', text: 'Every call of the API, to read and to try.' },
  { name: 'contract', href: '/openapi.yaml', title: 'OpenAPI', text: 'The same as a file, OpenAPI 3.1; /openapi.json is the same as JSON.' },
  { name: 'health', href: '/health', title: 'Health', text: 'Whether Redis answers. Probes: /livez for this process, /readyz for what it needs.' },
] as const;

const STYLE = `
:root { color-scheme: light dark; --ink: #1c2733; --soft: #55636f; --line: #d9dfe5; --paper: #f6f8fa; --card: #fff; --link: #0b57a4; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4eaf0; --soft: #9dabb8; --line: #2f3a45; --paper: #12181e; --card: #1a222a; --link: #7cb8f2; } }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 40rem; margin: 0 auto; padding: 3rem 1.25rem; }
h1 { margin: 0 0 .25rem; font-size: 1.6rem; }
p { margin: 0; color: var(--soft); }
ul { list-style: none; margin: 2rem 0; padding: 0; display: grid; gap: .75rem; }
li { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: .9rem 1.1rem; }
a { color: var(--link); font-weight: 600; text-underline-offset: .2em; }
code { font: .9em ui-monospace, monospace; }
`;

const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Kafka Retry Service</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>Kafka Retry Service</h1>
<p>Hand over a message with <code>POST /tasks</code>. It is delivered to an HTTP endpoint or a Kafka topic, and sent again until it arrives.</p>
<ul>
${frontPageLinks.map(({ href, title, text }) => `<li><a href="${href}">${title}</a> <code>${href}</code><p>${text}</p></li>`).join('\n')}
</ul>
</main>
</body>
</html>
`;

const PAGE_HEADERS = { ...pageHeaders({ styles: sourceOf(STYLE) }), Vary: 'Accept' };

/** The page for a person who opens the address of the service; it stands in place of a 404. */
export const frontPageRoute: Route<unknown> = {
  method: 'GET',
  path: '/',
  role: 'none',
  body: 'none',
  // Links to a front page carry all kinds of parameters.
  query: 'any',
  operationId: 'frontPage',
  metricLabel: '/',
  handle: async ({ request }) => {
    if (!prefersJson(request.headers.accept)) return textAnswer(200, 'text/html; charset=utf-8', PAGE, PAGE_HEADERS);
    return jsonAnswer(200, { name: 'Kafka Retry Service', links: Object.fromEntries(frontPageLinks.map(({ name, href }) => [name, href])) }, { Vary: 'Accept' });
  },
};

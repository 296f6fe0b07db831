import { RequestError } from '../../shared/domain/errors.js';
import { textAnswer } from '../http/answer.js';
import type { Route } from '../http/route.js';
import { pageHeaders, sourceOf } from './page-policy.js';
import { ViewerFile } from './viewer-file.js';

const script = new ViewerFile('swagger-ui-bundle.js', 'text/javascript; charset=utf-8');
const style = new ViewerFile('swagger-ui.css', 'text/css; charset=utf-8');
const filesByName: ReadonlyMap<string, ViewerFile> = new Map([script, style].map((file) => [file.name, file]));

/** For the line of links above the viewer, which is 1,460 px wide at most. */
const OWN_STYLE = `
:root { color-scheme: light; }
:root.dark-mode { color-scheme: dark; background: #1c2022; }
body { margin: 0; }
nav { max-width: 1460px; margin: 0 auto; padding: 1rem 20px 0; font: 14px/1.5 system-ui, sans-serif; box-sizing: border-box; }
nav a { color: #0b57a4; margin-right: 1.25rem; }
.dark-mode nav a { color: #7cb8f2; }
.swagger-ui .info { margin: 20px 0; }
`;

/**
 * It shows the calls as calls of this very service: the contract names the address of `npm start` alone. The viewer has dark
 * colours too, and leaves it to the page to choose them.
 */
const OWN_SCRIPT = `
const dark = matchMedia('(prefers-color-scheme: dark)');
const follow = () => document.documentElement.classList.toggle('dark-mode', dark.matches);
dark.addEventListener('change', follow);
follow();
addEventListener('DOMContentLoaded', async () => {
  const place = document.getElementById('viewer');
  try {
    const spec = await (await fetch('/openapi.json')).json();
    spec.servers = [{ url: location.origin, description: 'This service' }];
    SwaggerUIBundle({ spec, domNode: place, deepLinking: true, validatorUrl: null, defaultModelsExpandDepth: 0, displayRequestDuration: true });
  } catch (error) {
    place.textContent = 'The contract cannot be shown: ' + error.message + '. Reload this page, or read /openapi.yaml.';
  }
});
`;

// The viewer writes no styles or scripts into the page.
const PAGE_HEADERS = pageHeaders({ scripts: `'self' ${sourceOf(OWN_SCRIPT)}`, styles: `'self' ${sourceOf(OWN_STYLE)}`, images: "'self' data:", requests: "'self'" }, 'same-origin');

const pageWith = (scriptHref: string, styleHref: string): string => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Contract of the Kafka Retry Service</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="${styleHref}">
<style>${OWN_STYLE}</style>
<script src="${scriptHref}"></script>
<script>${OWN_SCRIPT}</script>
</head>
<body>
<nav><a href="/">Kafka Retry Service</a><a href="/openapi.yaml">openapi.yaml</a><a href="/openapi.json">openapi.json</a></nav>
<main id="viewer"></main>
<noscript><p>This page needs JavaScript. The same as text: <a href="/openapi.yaml">openapi.yaml</a>.</p></noscript>
</body>
</html>
`;

/** The contract for a person: the page of a viewer, and the files that it loads. */
export const docsRoutes: readonly Route<unknown>[] = [
  {
    method: 'GET',
    path: '/docs',
    role: 'none',
    body: 'none',
    // Links to a page carry all kinds of parameters.
    query: 'any',
    operationId: 'docs',
    metricLabel: '/docs',
    handle: async () => textAnswer(200, 'text/html; charset=utf-8', pageWith(await script.href(), await style.href()), PAGE_HEADERS),
  },
  {
    method: 'GET',
    path: '/docs/:file',
    role: 'none',
    body: 'none',
    query: ['v'],
    operationId: null,
    metricLabel: '/docs/:file',
    handle: async (context) => {
      const file = filesByName.get(context.param('file'));
      if (file === undefined) throw new RequestError('not_found', `there is nothing at ${context.match.path}`);
      return file.answer(context.query.get('v'), context.request.headers['accept-encoding']);
    },
  },
];

import type { AnswerHeaders } from '../http/answer.js';
import { pageHeaders } from '../ops/page-policy.js';

export const adminPageHeaders: AnswerHeaders = pageHeaders({ scripts: "'self'", styles: "'self'", images: "'self' data:", requests: "'self'", forms: "'self'" }, 'same-origin');

/**
 * The empty page; its code fills it.
 * @param scripts all modules, so that the browser asks for them at once and not for one behind the other
 */
export const pageHtml = (version: string, scripts: readonly string[]): string => {
  const at = (name: string): string => `/admin/assets/${version}/${name}`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Kafka Retry Service</title>
<link rel="icon" href="data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Cpath d='M13 8a5 5 0 1 1-1.5-3.5M13 2v3h-3' fill='none' stroke='%233b6fd4' stroke-width='2'/%3E%3C/svg%3E">
<link rel="stylesheet" href="${at('vendor/uPlot.min.css')}">
<link rel="stylesheet" href="${at('server/admin-page/page.css')}">
${scripts.map((name) => `<link rel="modulepreload" href="${at(name)}">`).join('\n')}
<script type="module" src="${at('server/admin-page/app.js')}"></script>
</head>
<body>
<div id="page"><p>The page is being loaded. If this stays, load it again: the service may just be updated.</p></div>
<noscript><p>This page needs JavaScript. <a href="/status">/status</a> says the same as JSON.</p></noscript>
</body>
</html>
`;
};

import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { RequestError } from '../../shared/domain/errors.js';
import { pageViews } from '../../shared/wire/page-views.js';
import { textAnswer } from '../http/answer.js';
import type { Route } from '../http/route.js';
import { readOnce } from '../ops/read-once.js';
import { takesGzip } from '../ops/viewer-file.js';
import { adminPageHeaders, pageHtml } from './page-html.js';
import { readPageFiles, type PageFile } from './page-files.js';

const files = readOnce(async () => {
  const { byPath, ...rest } = await readPageFiles();
  const packed = await Promise.all([...byPath].map(async ([name, file]) => [name, { ...file, compressed: await promisify(gzip)(file.bytes) }] as const));
  return { ...rest, byPath: new Map<string, PageFile & { readonly compressed: Buffer }>(packed) };
});

const page = {
  method: 'GET',
  role: 'read',
  isPage: true,
  body: 'none',
  query: 'any',
  handle: async () => {
    const { version, scripts } = await files();
    return textAnswer(200, 'text/html; charset=utf-8', pageHtml(version, scripts), adminPageHeaders);
  },
} as const satisfies Partial<Route<unknown>>;

/** The operations page. It asks the public API alone, as any other client does. */
export const adminRoutes: readonly Route<unknown>[] = [
  { ...page, path: '/admin', operationId: 'adminPage', metricLabel: '/admin' },
  ...pageViews.map((view): Route<unknown> => ({ ...page, path: `/admin/${view}`, operationId: null, metricLabel: '/admin' })),
  {
    method: 'GET',
    path: '/admin/assets/:version/*',
    // They hold nothing of anybody's: what the page shows comes from the API, by the rights of who asks.
    role: 'none',
    body: 'none',
    query: [],
    operationId: null,
    metricLabel: '/admin/assets',
    handle: async (context) => {
      const { match, request } = context;
      const { version, byPath } = await files();
      const asked = context.param('version');
      const file = byPath.get(match.path.slice(`/admin/assets/${asked}/`.length));
      // A page of another version is still open while the service is updated: it gets its files from a process of its own version, or reloads.
      if (file === undefined || asked !== version) throw new RequestError('not_found', `there is nothing at ${match.path}`);
      const isCompressed = takesGzip(request.headers['accept-encoding']);
      return {
        status: 200,
        headers: { 'Cache-Control': 'public, max-age=31536000, immutable', Vary: 'Accept-Encoding', ...(isCompressed ? { 'Content-Encoding': 'gzip' } : {}) },
        content: { type: file.type, text: isCompressed ? file.compressed : file.bytes },
      };
    },
  },
];

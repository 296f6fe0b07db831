import { keyRoutes, type KeyParts } from './access/routes.js';
import { sessionRoutes, type SessionParts } from './access/session-routes.js';
import { adminRoutes } from './admin/routes.js';
import { auditRoutes, type AuditParts } from './audit/routes.js';
import { bulkActionRoutes, type BulkActionParts } from './bulk-actions/routes.js';
import { credentialRoutes, type CredentialParts } from './credentials/routes.js';
import { flowRoutes, type FlowParts } from './flow/routes.js';
import { healthRoutes, type HealthParts } from './health/routes.js';
import type { Route } from './http/route.js';
import { contractRoutes } from './ops/api-docs.js';
import { boardRoutes, type BoardParts } from './ops/board-routes.js';
import { docsRoutes } from './ops/docs-page.js';
import { frontPageRoute } from './ops/front-page.js';
import { loginRoute } from './ops/login-page.js';
import { searchRoutes, type SearchParts } from './search/routes.js';
import { statsRoutes, type StatsParts } from './stats/routes.js';
import { telemetryRoutes, type TelemetryParts } from './telemetry/routes.js';
import { editRoutes, type EditParts } from './tasks/edit-routes.js';
import { testSendRoutes, type TestSendParts } from './test-sends/routes.js';
import { taskRoutes, type TaskParts } from './tasks/routes.js';
import { submitRoutes, type SubmitParts } from './tasks/submit-routes.js';

/** Everything that the handlers of all routes need; create-server.ts makes it. */
export type ApiParts = SubmitParts & TaskParts & EditParts & BulkActionParts & SearchParts & FlowParts & CredentialParts & TestSendParts & AuditParts & KeyParts & SessionParts & StatsParts & TelemetryParts & HealthParts & BoardParts;

/**
 * All calls that the API answers. To add a route, add a row in the room that it belongs to. Tests compare the rows with
 * docs/openapi.yaml in both directions, and call each of them.
 */
export const routeTable: readonly Route<ApiParts>[] = [
  ...submitRoutes,
  ...taskRoutes,
  ...editRoutes,
  ...bulkActionRoutes,
  ...searchRoutes,
  ...flowRoutes,
  ...credentialRoutes,
  ...testSendRoutes,
  ...auditRoutes,
  ...keyRoutes,
  ...sessionRoutes,
  ...statsRoutes,
  ...telemetryRoutes,
  ...healthRoutes,
  ...boardRoutes,
  ...adminRoutes,
  ...contractRoutes,
  ...docsRoutes,
  frontPageRoute,
  loginRoute,
];

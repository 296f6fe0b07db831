import { credentialScripts } from '../credentials/credential-scripts.js';
import { keyScripts } from '../access/key-scripts.js';
import { sessionScripts } from '../access/session-scripts.js';
import { rateScripts } from '../access/rate-scripts.js';
import { auditScripts } from '../audit/audit-scripts.js';
import type { DefinedScripts } from '../engine/defined-scripts.js';
import type { LuaScript } from '../engine/lua-script.js';
import { takeOverScript } from '../engine/take-over-script.js';
import { tellFirstSendScript } from '../engine/told-bulk-action.js';
import { controlScripts } from '../flow/control-scripts.js';
import { limitScripts } from '../flow/limit-scripts.js';
import { probeScripts } from '../flow/probe-scripts.js';
import { reportScripts } from '../flow/report-scripts.js';
import { secretPathScripts } from '../flow/secret-path-scripts.js';
import { listMembersScript } from '../search/list-members-script.js';
import { scanMarkScript } from '../search/scan-mark-script.js';
import { searchScript } from '../search/search-script.js';
import { quotaScripts } from '../quota/quota-scripts.js';
import { deferScript, waitingListScripts } from '../flow/waiting-list-scripts.js';
import { activityScripts } from '../stats/activity-scripts.js';
import { failureScripts } from '../stats/failure-scripts.js';
import { actScript } from './act-script.js';
import { addSearchFieldsScripts } from './add-search-fields-scripts.js';
import { boardScript } from './board-script.js';
import { countScript } from './count-script.js';
import { editScript } from './edit-script.js';
import { failedDestinationsScript } from './failed-destinations-script.js';
import { failedPageScript } from './failed-page-script.js';
import { heldScript } from './held-script.js';
import { readScript } from './read-script.js';
import { restoreStraysScript } from './restore-strays-script.js';
import { testSendScripts } from '../test-sends/test-send-scripts.js';
import { sampleScripts } from './sample-scripts.js';
import { sweepScript } from './sweep-script.js';
import { turnScripts } from '../turn-scripts.js';

/**
 * Scripts that are entirely ours, by their commands. Each touches keys of one queue only, or of flow control only, so it
 * works on a cluster. BullMQ's own steps (adding, retrying) are never written again in them.
 */
export const fixedScripts = {
  krsBoard: boardScript,
  krsCount: countScript,
  krsFailedDestinations: failedDestinationsScript,
  krsFailedPage: failedPageScript,
  krsHeld: heldScript,
  krsListMembers: listMembersScript,
  krsScanMark: scanMarkScript,
  krsSearch: searchScript,
  krsRead: readScript,
  krsRestoreStrays: restoreStraysScript,
  krsSweep: sweepScript,
  ...sampleScripts,
  ...activityScripts,
  ...auditScripts,
  ...failureScripts,
  ...keyScripts,
  ...sessionScripts,
  ...rateScripts,
  ...quotaScripts,
  ...credentialScripts,
  ...testSendScripts,
  ...turnScripts,
  ...addSearchFieldsScripts,
  ...waitingListScripts,
  ...controlScripts,
  ...limitScripts,
  ...probeScripts,
  ...reportScripts,
  ...secretPathScripts,
  krsTellFirstSend: tellFirstSendScript,
} as const satisfies Readonly<Record<string, LuaScript>>;

/**
 * All scripts that a shard is opened with. Two more are made from BullMQ's text: krsSubmit (submit-script.ts) and, in
 * workers, krsFinish (finish-script.ts).
 */
export function ownScripts(bullmq: DefinedScripts): Readonly<Record<string, LuaScript>> {
  return { ...fixedScripts, krsAct: actScript(bullmq), krsDefer: deferScript(bullmq), krsEdit: editScript(bullmq), krsTakeOver: takeOverScript(bullmq) };
}

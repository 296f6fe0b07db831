import { ensureBuild } from './built-code.mjs';
import { ensureDependencies } from './dependencies.mjs';
import { withSetupLock } from './setup-lock.mjs';

/**
 * The clone with its locked dependencies installed and its code built. Costs some milliseconds when nothing changed.
 * @param {{checksTypes?: boolean, signal?: AbortSignal}} [options] see ensureBuild
 */
export async function readyClone({ checksTypes, signal } = {}) {
  await withSetupLock(
    async () => {
      await ensureDependencies({ signal });
      await ensureBuild({ checksTypes, signal });
    },
    { signal },
  );
}

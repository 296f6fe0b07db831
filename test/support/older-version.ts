import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, symlink } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const root = path.resolve(import.meta.dirname, '../..');

/** The version before this one: before work on traces, shards and secrets at rest went on. */
export const PREVIOUS_VERSION = '0d59cd5a44c83c78018a65ba3a023088ef72bdd2';

/** @returns the text of a file as it was at a commit */
export async function olderText(commit: string, file: string): Promise<string> {
  return (await run('git', ['show', `${commit}:${file}`], { cwd: root, maxBuffer: 16 * 1_048_576 })).stdout;
}

/**
 * Builds the service as it was at a commit, with this checkout's node_modules. Kept in .cache/, so only the first call takes its
 * five seconds.
 * @returns the folder that has its dist/
 * @throws when the repository does not have the commit, as in a shallow clone
 */
export async function olderVersion(commit: string): Promise<string> {
  const folder = path.join(root, '.cache', 'older-versions', commit);
  if (existsSync(folder)) return folder;
  await run('git', ['cat-file', '-e', `${commit}^{commit}`], { cwd: root }).catch((cause: unknown) => {
    throw new Error(`the commit ${commit} is not here: this test needs a full clone (\`git fetch --unshallow\`)`, { cause });
  });
  await mkdir(path.dirname(folder), { recursive: true });
  // Beside its place, and moved there when it is complete: a build that was interrupted must not be taken for one.
  const building = await mkdtemp(`${folder}-`);
  try {
    const archive = `${building}.tar`;
    await run('git', ['archive', '--output', archive, commit], { cwd: root });
    await run('tar', ['-xf', archive, '-C', building]);
    await rm(archive);
    await symlink(path.join(root, 'node_modules'), path.join(building, 'node_modules'));
    // Its types were checked when it was written, and that takes twice as long as the rest.
    await run(process.execPath, [path.join(root, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.json', '--noCheck'], { cwd: building });
    await rename(building, folder).catch((error: unknown) => {
      if (!existsSync(folder)) throw error; // else another test was faster
    });
    return folder;
  } finally {
    await rm(building, { recursive: true, force: true });
  }
}

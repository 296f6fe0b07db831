// `npm start`: installs, builds, makes sure a Redis runs, starts the API and the workers, and stops it all again.
import './install/node-version.mjs';

// Only now: an old Node could not even link what follows.
const { launch } = await import('./launch/launch.mjs');
process.exit(await launch());

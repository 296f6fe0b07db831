/**
 * Loaded before everything else (`node --require`): Node makes its pool of threads when the first module is loaded, and reads its size
 * only then, so main.ts comes too late. Names are resolved in this pool. With Node's four threads, four names whose DNS servers
 * do not answer hold up all sends for seconds.
 */
process.env['UV_THREADPOOL_SIZE'] ??= '64';

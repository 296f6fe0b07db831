// Says at the end how many files of OpenTelemetry's SDK the process has loaded. Its API is loaded by prom-client.
process.on('exit', () => process.stdout.write(`files of the SDK: ${Object.keys(require.cache).filter((file) => /@opentelemetry\/(?!api\/)/.test(file)).length}\n`));

/**
 * A host name that does not exist anywhere: its first label is longer than DNS allows (63), so the resolver says so by
 * itself. An ordinary name under `.invalid` has to be asked for, and where the name server is away that takes longer
 * than the time limit of an attempt.
 */
export const UNKNOWN_HOST = `${'no-such-host-'.repeat(5)}.invalid`;

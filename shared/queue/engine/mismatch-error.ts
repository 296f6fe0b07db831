/** What is there is not what this process was made or set up for. Tasks could be lost, so the process must not go on. */
export class MismatchError extends Error {}

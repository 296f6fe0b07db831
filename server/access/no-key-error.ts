/** The API asks for keys, and there is none: every call would be refused. */
export class NoKeyError extends Error {
  constructor() {
    super('AUTH=on and no access key is stored: set BOOTSTRAP_API_KEY to make the first ones with, or AUTH=off');
    this.name = 'NoKeyError';
  }
}

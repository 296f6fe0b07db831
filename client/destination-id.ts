import { ID_MARK, idOfKey } from '../shared/wire/destination-id.js';

/** The id of a destination, in place of its key in a path. What begins with `~` is an id already. */
export function destinationId(key: string): string {
  return key.startsWith(ID_MARK) ? key : idOfKey(key);
}

import { hasPermission, type Caller, type Permission } from '../../shared/domain/access/caller.js';
import { forbidden } from './access-check.js';

/** For what only a part of a route's requests needs, such as `include=message_data`. @throws RequestError forbidden */
export function needPermission(caller: Caller, permission: Permission): void {
  if (!hasPermission(caller, permission)) throw forbidden(`the permission ${permission}`);
}

import type { components, paths } from './api-contract.js';

export type Schemas = components['schemas'];

type Verb = 'get' | 'post' | 'put' | 'patch' | 'delete';
type Success = 200 | 201 | 207;

/** Method and path of each operation of the contract: `GET /tasks/{id}`. */
export type Route = { [Path in keyof paths]: { [V in Verb]: paths[Path][V] extends object ? `${Uppercase<V>} ${Path}` : never }[Verb] }[keyof paths];

type Operation<R extends Route> = { [Path in keyof paths]: { [V in Verb]: R extends `${Uppercase<V>} ${Path}` ? paths[Path][V] : never }[Verb] }[keyof paths];

type JsonOf<Part> = Part extends { readonly content: { readonly 'application/json': infer Json } } ? Json : never;

/** What a route answers when it does what it was asked to. */
export type Answer<R extends Route> = Operation<R> extends { readonly responses: infer Responses } ? { [Status in keyof Responses & Success]: JsonOf<Responses[Status]> }[keyof Responses & Success] : never;

/** Parameters in the path, or in the query; never: it has none. */
type Parameters<R extends Route, Place extends 'path' | 'query'> = Operation<R> extends { readonly parameters: infer Places } ? (Place extends keyof Places ? NonNullable<Places[Place]> : never) : never;

/** Its parameters in the query. An undefined one is left out. */
export type Query<R extends Route> = { readonly [Name in keyof Parameters<R, 'query'>]: Parameters<R, 'query'>[Name] | undefined };

/** Its body as JSON; never: it has none. */
export type Body<R extends Route> = Operation<R> extends { readonly requestBody?: infer Sent } ? JsonOf<Sent> : never;

/** What has to be said for a call of it. */
export type Asked<R extends Route> = { readonly query?: Query<R>; readonly body?: Body<R> } & ([Parameters<R, 'path'>] extends [never] ? { readonly path?: never } : { readonly path: Parameters<R, 'path'> });

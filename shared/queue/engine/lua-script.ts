/** A script of ours as `defineCommand` takes it. */
export interface LuaScript {
  /** How many of its arguments are keys; they come first. */
  readonly numberOfKeys: number;
  readonly lua: string;
}

/** A script of ours in the form that `defineCommand` takes. */
export interface LuaScript {
  /** The number of keys among its arguments; they come first. */
  readonly numberOfKeys: number;
  readonly lua: string;
}

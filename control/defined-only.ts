export type DefinedOnly<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

/** Without the keys that hold undefined, so that spreading it over defaults keeps the defaults. */
export function definedOnly<T extends object>(values: T): DefinedOnly<T> {
  return Object.fromEntries(
    Object.entries(values).filter(([, value]) => value !== undefined),
  ) as DefinedOnly<T>;
}

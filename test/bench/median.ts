/**
 * The median of each number in records of the same shape; text must be the same in all of them. With an even number the
 * upper one.
 */
export function medianOf<T>(values: readonly T[]): T {
  const [first] = values;
  if (typeof first === 'number')
    return (values as readonly number[]).toSorted((a, b) => a - b)[Math.floor(values.length / 2)] as T;
  if (typeof first !== 'object' || first === null) return first as T;
  const fields = Object.keys(first).map((name) => [
    name,
    medianOf(values.map((value) => value[name as keyof T])),
  ]);
  return Object.fromEntries(fields) as T;
}

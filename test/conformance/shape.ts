/**
 * Whether an answer has the shape of an example: the same keys, the same types, the same enumerations. What the
 * document's prose leaves open, or what we add to it, is named in `Allowance`, nowhere else.
 */
export interface Allowance {
  /** Keys that may be missing. */
  readonly optional?: readonly string[];
  /** Keys that may be there in addition. */
  readonly extra?: readonly string[];
  /** Keys whose value may be null, where nothing is known. */
  readonly nullable?: readonly string[];
}

const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;
const DURATION = /^(\d+h)?(\d+m)?\d+(\.\d+)?s$/;

/** @returns what differs, each with its place; empty if nothing does */
export function differences(
  example: unknown,
  actual: unknown,
  allowance: Allowance = {},
  at = '$',
): string[] {
  if (Array.isArray(example)) {
    if (!Array.isArray(actual)) return [`${at} is not a list`];
    return actual.flatMap((item, i) => differences(example[0], item, allowance, `${at}[${i}]`));
  }
  if (typeof example === 'object' && example !== null) {
    if (typeof actual !== 'object' || actual === null || Array.isArray(actual))
      return [`${at} is not an object`];
    return objectDifferences(example as Values, actual as Values, allowance, at);
  }
  if (typeof example !== typeof actual) return [`${at} is a ${typeof actual}, not a ${typeof example}`];
  if (typeof example === 'string') return stringDifferences(example, actual as string, at);
  return [];
}

type Values = Readonly<Record<string, unknown>>;

function objectDifferences(example: Values, actual: Values, allowance: Allowance, at: string): string[] {
  // `{}` stands for whatever the caller put there.
  if (Object.keys(example).length === 0) return [];
  const { optional = [], extra = [], nullable = [] } = allowance;
  const missing = Object.keys(example).filter((key) => !(key in actual) && !optional.includes(key));
  const added = Object.keys(actual).filter((key) => !(key in example) && !extra.includes(key));
  return [
    ...missing.map((key) => `${at}.${key} is missing`),
    ...added.map((key) => `${at}.${key} is not in the document`),
    ...Object.keys(example)
      .filter((key) => key in actual && !(actual[key] === null && nullable.includes(key)))
      .flatMap((key) => differences(example[key], actual[key], allowance, `${at}.${key}`)),
  ];
}

function stringDifferences(example: string, actual: string, at: string): string[] {
  if (/^\w+(\|\w+)+$/.test(example) && !example.split('|').includes(actual)) {
    return [`${at} is ${actual}, not one of ${example}`];
  }
  for (const form of [INSTANT, DURATION]) {
    if (form.test(example) && !form.test(actual))
      return [`${at} is ${actual}, which is not of the form ${example}`];
  }
  return [];
}

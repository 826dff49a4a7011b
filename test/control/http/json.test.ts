import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { JsonProblem, parseJson } from '../../../control/http/json.ts';

test('what JSON.stringify writes is read back as it was', () => {
  fc.assert(
    fc.property(fc.jsonValue({ depthSize: 'small' }), fc.constantFrom(0, 2, '\t'), (value, indent) => {
      const text = JSON.stringify(value, null, indent);
      // Refused on purpose; a test below says so.
      fc.pre(!text.includes('"__proto__"'));
      expect(parseJson(text)).toEqual(JSON.parse(text));
    }),
  );
});

/** Close to JSON, and seldom quite. */
const nearJson = fc
  .array(
    fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '"a"',
      '"b"',
      '"\\u00e9"',
      '"\\x"',
      '1',
      '-',
      '0.5e3',
      '01',
      'true',
      'null',
      'NaN',
      ' ',
      '"',
    ),
    { maxLength: 8 },
  )
  .map((parts) => parts.join(''));

test('it takes exactly what JSON.parse takes, but for keys given twice', () => {
  fc.assert(
    fc.property(nearJson, (text) => {
      const ours = outcome(() => parseJson(text));
      if (ours instanceof JsonProblem && ours.message.startsWith('is given twice')) return;
      const theirs = outcome(() => JSON.parse(text) as unknown);
      expect(ours instanceof Error).toBe(theirs instanceof Error);
      if (!(ours instanceof Error)) expect(ours).toEqual(theirs);
    }),
    { numRuns: 5000 },
  );
});

function outcome(parse: () => unknown): unknown {
  try {
    return parse();
  } catch (error) {
    return error;
  }
}

test.each([
  ['{"a": {"b": 1, "b": 2}}', 'a.b', /given twice/],
  ['{"a": [0, {"__proto__": 1}]}', 'a[1].__proto__', /not a permitted key/],
  ['{"a": [NaN]}', 'a[0]', /NaN, which JSON has no number for/],
  ['{"a": 1', undefined, /expected "," or "}", found the end of the body \(line 1, column 8\)/],
  ['{"a":\n nil}', undefined, /has nil, which is not a JSON value \(line 2, column 2\)/],
  ['[1 2]', undefined, /found "2"/],
  ['"open', undefined, /string that never ends/],
])('%s has a problem with a place', (text, field, message) => {
  const problem = outcome(() => parseJson(text)) as JsonProblem;
  expect(problem).toBeInstanceOf(JsonProblem);
  expect(problem.field).toBe(field);
  expect(problem.message).toMatch(message);
});

test('a list of a million brackets is refused without a deep stack', () => {
  expect(outcome(() => parseJson('['.repeat(1_000_000)))).toMatchObject({
    message: expect.stringContaining('nested deeper than 32 levels') as string,
  });
});

import { expect, test } from 'vitest';
import { tableLines } from '../../src/cli/table.ts';

const COLUMNS = [{ title: 'QUEUE' }, { title: 'JOBS', align: 'right' }, { title: 'NOTE' }] as const;

test('columns are as wide as what is in them, wide characters counted as the two cells that they take', () => {
  expect(
    tableLines(COLUMNS, [
      ['payments', '7', 'ok'],
      ['支払い', '1200', ''],
      ['é👩‍👩‍👧', '–', 'x'],
    ]),
  ).toEqual(['QUEUE     JOBS  NOTE', 'payments     7  ok', '支払い    1200', 'é👩‍👩‍👧          –  x']);
});

test('colour takes no room', () => {
  const paint = (text: string): string => `\u001b[31m${text}\u001b[39m`;
  expect(tableLines(COLUMNS, [[{ text: 'a', paint }, '1', 'b']])[1]).toBe(
    '\u001b[31ma\u001b[39m         1  b',
  );
});

test('a name can neither break the line nor speak to the terminal', () => {
  expect(tableLines([{ title: 'ID' }], [['a\nb\u001b[2Jc\u009bd']])[1]).toBe('a·b·[2Jc·d');
});

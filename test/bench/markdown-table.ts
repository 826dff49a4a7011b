export function markdownTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  isNumber: (column: string) => boolean,
): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const align = head.map((column, i) => (i > 0 && isNumber(column) ? '--:' : '---'));
  return [line(head), line(align), ...rows.map(line)].join('\n');
}

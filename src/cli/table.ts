import stringWidth from 'string-width';

/** Tables for people: columns as wide as what is in them, in terminal cells (a 漢 takes two). */

/** What a cell's text gets around it once it is padded: colour takes no room. */
export type Paint = (text: string) => string;

export interface Cell {
  readonly text: string;
  readonly paint?: Paint | undefined;
}

export interface Column {
  readonly title: string;
  /** Numbers stand at the right. */
  readonly align?: 'left' | 'right';
}

const GAP = '  ';

/** @returns lines without blanks at their ends */
export function tableLines(
  columns: readonly Column[],
  rows: readonly (readonly (Cell | string)[])[],
  paintTitle: Paint = (text) => text,
): readonly string[] {
  const titles = columns.map(({ title }) => ({ text: title, paint: paintTitle }));
  const cells = rows.map((row) => row.map(cellOf));
  const widths = columns.map(({ title }, i) =>
    Math.max(stringWidth(title), ...cells.map((row) => stringWidth(row[i]!.text))),
  );
  return [titles, ...cells].map((row) =>
    row
      .map((cell, i) => padded(cell, i === row.length - 1 ? 0 : widths[i]!, widths[i]!, columns[i]!.align))
      .join(GAP)
      .trimEnd(),
  );
}

/** The last column gets no blanks at its right. */
function padded(
  { text, paint }: Cell,
  widthLeft: number,
  widthRight: number,
  align: Column['align'],
): string {
  const blanks = (width: number): string => ' '.repeat(Math.max(0, width - stringWidth(text)));
  const painted = paint === undefined ? text : paint(text);
  return align === 'right' ? blanks(widthRight) + painted : painted + blanks(widthLeft);
}

/** What others named must neither break the line nor speak to the terminal. */
function cellOf(cell: Cell | string): Cell {
  const { text, paint } = typeof cell === 'string' ? { text: cell } : cell;
  // oxlint-disable-next-line no-control-regex
  return { text: text.replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, '·'), paint };
}

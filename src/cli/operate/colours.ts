import type { Paint } from '../table.ts';

/** Few colours, each for what it means. */
export interface Colours {
  readonly good: Paint;
  readonly warning: Paint;
  readonly bad: Paint;
  readonly faint: Paint;
  readonly strong: Paint;
}

export function createColours(isOn: boolean): Colours {
  const sgr =
    (on: number, off: number): Paint =>
    (text) =>
      isOn && text !== '' ? `\u001b[${on}m${text}\u001b[${off}m` : text;
  return { good: sgr(32, 39), warning: sgr(33, 39), bad: sgr(31, 39), faint: sgr(2, 22), strong: sgr(1, 22) };
}

const GOOD = new Set(['healthy', 'active', 'completed', 'promoting']);
const WARNING = new Set(['warning', 'degraded', 'paused', 'rolling_back']);
const BAD = new Set(['failing', 'failed', 'unhealthy', 'unreachable']);

/** Of the words for a state, whoever's. */
export function paintOf(word: string, colours: Colours): Paint {
  if (GOOD.has(word)) return colours.good;
  if (WARNING.has(word)) return colours.warning;
  return BAD.has(word) ? colours.bad : colours.faint;
}

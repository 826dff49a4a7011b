import { useEffect } from 'preact/hooks';

/** The keyboard. Keys are for the page, not for who types into a field or has a dialog open. */
export interface KeyActions {
  /** By the second key, after `g`. */
  readonly go: Readonly<Record<string, () => void>>;
  readonly press: Readonly<Record<string, () => void>>;
}

/** Between `g` and the key after it. */
const SEQUENCE_MS_MAX = 1500;

export function useKeys({ go, press }: KeyActions): void {
  useEffect(() => {
    let pressedG = -Infinity;
    const onKey = (event: KeyboardEvent): void => {
      if (event.ctrlKey || event.metaKey || event.altKey || isBusy(event.target)) return;
      const isSecond = event.timeStamp - pressedG < SEQUENCE_MS_MAX;
      pressedG = -Infinity;
      if (event.key === 'g') {
        pressedG = event.timeStamp;
        return;
      }
      const action = isSecond ? go[event.key] : (press[event.key] ?? MOVES[event.key]);
      if (action === undefined) return;
      event.preventDefault();
      action();
    };
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  });
}

function isBusy(target: EventTarget | null): boolean {
  if (document.querySelector('dialog[open]') !== null) return true;
  return target instanceof HTMLElement && target.closest('input, textarea, select') !== null;
}

const MOVES: Readonly<Record<string, () => void>> = {
  j: () => move(1),
  k: () => move(-1),
  ArrowDown: () => move(1),
  ArrowUp: () => move(-1),
};

/** To the next or previous of the items of a list; Enter follows it, as it is a link. */
function move(by: 1 | -1): void {
  const items = [...document.querySelectorAll<HTMLElement>('[data-item]')];
  if (items.length === 0) return window.scrollBy({ top: by * 80 });
  const at = items.findIndex((item) => item === document.activeElement);
  const next =
    at === -1 ? (by === 1 ? 0 : items.length - 1) : Math.min(items.length - 1, Math.max(0, at + by));
  items[next]!.focus();
}

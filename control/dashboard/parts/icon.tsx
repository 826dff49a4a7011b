/** The few signs that stand beside words; a sign is never all there is. */
const PATHS = {
  healthy: 'M3.5 8.5 6.5 11.5 12.5 5',
  warning: 'M8 2.5 14.5 13.5H1.5Z M8 6.5v3.2 M8 11.6v.1',
  failing: 'M4 4 12 12 M12 4 4 12',
  unknown: 'M3 8h.1 M8 8h.1 M13 8h.1',
  paused: 'M5.5 3.5v9 M10.5 3.5v9',
  active: 'M5 3.5 12.5 8 5 12.5Z',
  moving: 'M2.5 8h10 M9 4.5 12.5 8 9 11.5',
  back: 'M13.5 8h-10 M7 4.5 3.5 8 7 11.5',
  arrow: 'M3 8h9.5 M9 4.5 12.5 8 9 11.5',
  plus: 'M8 3v10 M3 8h10',
  dead: 'M4.5 13V7a3.5 3.5 0 0 1 7 0v6Z M8 6.2v3.6 M6.6 7.4h2.8',
  dot: 'M8 8h.01',
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { readonly name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 16 16" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}

export function Mark() {
  return (
    <svg class="mark" viewBox="0 0 32 32" aria-hidden="true">
      <path class="mark-stable" d="M4 23h24" />
      <path class="mark-canary" d="M4 23c9 0 9-14 17-14h7" />
    </svg>
  );
}

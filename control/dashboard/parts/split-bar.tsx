import { share as shareText } from '../model/format.ts';

/** How the jobs are split: the canary's part from the left, as it was seen, and a line where it was set to. */
export function SplitBar(props: {
  readonly set: number;
  readonly actual: number | null;
  /** Nothing moves any more: what was set is how it is. */
  readonly isFinal?: boolean;
}) {
  const actual = props.actual ?? props.set;
  return (
    <svg
      class="split"
      viewBox="0 0 100 8"
      preserveAspectRatio="none"
      role="img"
      aria-label={`Canary: ${shareText(props.set)} set${props.actual === null ? '' : `, ${shareText(props.actual)} actual`}`}
    >
      <rect class="split-stable" width="100" height="8" />
      <rect
        class={props.actual === null && props.isFinal !== true ? 'split-planned' : 'split-canary'}
        width={actual}
        height="8"
      />
      {props.set > 0 && props.set < 100 && (
        <line
          class="split-set"
          x1={props.set}
          x2={props.set}
          y1="0"
          y2="8"
          vector-effect="non-scaling-stroke"
        />
      )}
    </svg>
  );
}

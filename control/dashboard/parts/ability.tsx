import type { ComponentChildren } from 'preact';
import { useId } from 'preact/hooks';
import { readOnlyReason } from '../live/session.ts';

/** A button for something that not every token may do; where it may not, it can be reached and says why. */
export function OperateButton(props: {
  readonly onClick: () => void;
  readonly kind?: 'main' | 'danger';
  readonly children: ComponentChildren;
  readonly isDisabled?: boolean;
}) {
  const reason = readOnlyReason.value;
  const id = useId();
  const isOff = reason !== undefined || props.isDisabled === true;
  return (
    <>
      <button
        type="button"
        class={props.kind === undefined ? 'button' : `button button-${props.kind}`}
        aria-disabled={isOff}
        aria-describedby={reason === undefined ? undefined : id}
        title={reason}
        onClick={() => {
          if (!isOff) props.onClick();
        }}
      >
        {props.children}
      </button>
      {reason !== undefined && (
        <span id={id} class="unseen">
          {reason}
        </span>
      )}
    </>
  );
}

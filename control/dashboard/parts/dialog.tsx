import type { ComponentChildren } from 'preact';
import { useEffect, useId, useRef } from 'preact/hooks';

/** A modal dialog: the browser keeps the focus in it, closes it on Esc, and gives the focus back afterwards. */
export function Dialog(props: {
  readonly title: string;
  readonly onClose: () => void;
  readonly children: ComponentChildren;
  readonly isWide?: boolean;
}) {
  const element = useRef<HTMLDialogElement>(null);
  const title = useId();
  useEffect(() => {
    const opener = document.activeElement;
    element.current?.showModal();
    return () => {
      if (opener instanceof HTMLElement && opener.isConnected) opener.focus();
    };
  }, []);
  return (
    <dialog
      ref={element}
      class={props.isWide === true ? 'dialog dialog-wide' : 'dialog'}
      aria-labelledby={title}
      onClose={({ currentTarget }) => {
        // It is told late, when another dialog may be there already.
        if (currentTarget.isConnected) props.onClose();
      }}
      onMouseDown={(event) => {
        // On the backdrop, which is the dialog's own.
        if (event.target === element.current) element.current?.close();
      }}
    >
      <div class="dialog-inside">
        <header class="dialog-head">
          <h2 id={title}>{props.title}</h2>
          <button type="button" class="button button-bare" onClick={() => element.current?.close()}>
            Close
          </button>
        </header>
        {props.children}
      </div>
    </dialog>
  );
}

import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import type { Client } from '../../../src/client/calls.ts';
import { call } from '../live/call.ts';
import { refusalFrom, type Refusal } from '../model/refusal.ts';
import { Dialog } from './dialog.tsx';
import { RefusalNote } from './refusal-note.tsx';

/** Asks before something is done, does it, and stays with the API's words if that is refused. */
export function ActionDialog(props: {
  readonly title: string;
  readonly confirm: string;
  readonly isDangerous?: boolean;
  readonly act: (client: Client) => Promise<unknown>;
  readonly onDone: () => void;
  readonly onClose: () => void;
  readonly children: ComponentChildren;
}) {
  const [refusal, setRefusal] = useState<Refusal>();
  const [isBusy, setBusy] = useState(false);
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    setBusy(true);
    try {
      await call(props.act);
      props.onDone();
      props.onClose();
    } catch (error) {
      setRefusal(refusalFrom(error));
      // What it is about may have changed; the page behind shows how it is now.
      props.onDone();
      setBusy(false);
    }
  };
  return (
    <Dialog title={props.title} onClose={props.onClose}>
      <form onSubmit={(event) => void submit(event)}>
        {props.children}
        {refusal !== undefined && <RefusalNote refusal={refusal} />}
        <footer class="dialog-foot">
          <button type="button" class="button" onClick={props.onClose}>
            Cancel
          </button>
          <button
            type="submit"
            class={props.isDangerous === true ? 'button button-danger' : 'button button-main'}
            disabled={isBusy}
            autofocus
          >
            {props.confirm}
          </button>
        </footer>
      </form>
    </Dialog>
  );
}
